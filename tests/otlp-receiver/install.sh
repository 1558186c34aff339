#!/usr/bin/env bash
# Installs a receiver of OpenTelemetry that is not ours into the cache, and prints where its binary lies: rotel, from
# its package on PyPI, which carries it. Its Python is not used.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/defender/tools"
folder="$tools/rotel"
binary="$folder/rotel-agent"
mkdir -p "$tools"

# Tests that run at once install it once.
exec 9>"$tools/rotel.lock"
flock 9
if ! cmp --silent "$here/requirements.txt" "$folder/requirements.txt"; then
    scratch="$(mktemp -d "$tools/unpack.XXXXXX")"
    trap 'rm -rf "$scratch"' EXIT
    python3 -m venv "$scratch/python" >&2
    "$scratch/python/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --python-version 3.11 --platform manylinux_2_34_x86_64 \
        --require-hashes --requirement "$here/requirements.txt" --dest "$scratch" >&2
    "$scratch/python/bin/python" -m zipfile -e "$scratch"/rotel-*.whl "$scratch/wheel" >&2
    rm -rf "$folder"
    mkdir "$folder"
    mv "$scratch/wheel/rotel/rotel-agent" "$binary"
    chmod +x "$binary"
    cp "$here/requirements.txt" "$folder/requirements.txt"
fi
echo "$binary"
