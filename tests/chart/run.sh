#!/usr/bin/env bash
# Tests of the chart with the real helm and the published Kubernetes schemas. DEFENDER_DIST: a folder with the binaries,
# which then check the rendered configuration themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./tools.sh
exec "$PYTHON" run.py .
