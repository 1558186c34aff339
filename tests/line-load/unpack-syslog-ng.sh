#!/usr/bin/env bash
# Unpacks syslog-ng and the libraries that it alone needs from Debian's packages into the cache, and prints where its
# root is. Installed, it would take the place of rsyslog, which is measured beside it.
set -euo pipefail

packages=(syslog-ng-core libivykis0 libjson-c5 libnet1 libpcre3 libwrap0)
tools="${XDG_CACHE_HOME:-$HOME/.cache}/defender/tools"
folder="$tools/syslog-ng"
mkdir -p "$tools"

exec 9>"$tools/syslog-ng.lock"
flock 9
if [ ! -x "$folder/usr/sbin/syslog-ng" ]; then
    scratch="$(mktemp -d "$tools/unpack.XXXXXX")"
    trap 'rm -rf "$scratch"' EXIT
    (cd "$scratch" && apt-get download --quiet "${packages[@]}" >&2)
    for package in "$scratch"/*.deb; do
        dpkg --extract "$package" "$scratch/root"
    done
    rm -rf "$folder"
    mv "$scratch/root" "$folder"
fi
echo "$folder"
