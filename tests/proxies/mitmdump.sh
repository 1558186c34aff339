#!/usr/bin/env bash
# Prints the path of mitmdump, which inspects TLS as the proxies of companies do. Installed once, into the cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/defender/tools"
mkdir -p "$tools"
exec 9>"$tools/mitmproxy.lock"
flock 9
if ! cmp --silent requirements.txt "$tools/mitmproxy/requirements.txt"; then
    rm -rf "$tools/mitmproxy"
    python3 -m venv "$tools/mitmproxy" >&2
    "$tools/mitmproxy/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt >&2
    cp requirements.txt "$tools/mitmproxy/requirements.txt"
fi
echo "$tools/mitmproxy/bin/mitmdump"
