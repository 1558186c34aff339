#!/usr/bin/env bash
# The chart's admission policies at a real API server, 1.30 or newer: each is created, must have no warnings of its types, and is asked of
# every case of policies/tests. Needs a cluster to try things in: DEFENDER_ADMISSION_CONTEXT names its kubectl context. Nothing but policies
# and a namespace is kept there, and both are removed; cases are dry runs. Skipped, and says so, where no context is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ../chart/tools.sh

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

[ -n "${DEFENDER_ADMISSION_CONTEXT:-}" ] || skip "DEFENDER_ADMISSION_CONTEXT names no cluster, so the policies met no real API server"
"$KUBECTL" --context "$DEFENDER_ADMISSION_CONTEXT" version --request-timeout=20s >/dev/null || skip "the cluster $DEFENDER_ADMISSION_CONTEXT does not answer"
exec "$PYTHON" at_api_server.py "$DEFENDER_ADMISSION_CONTEXT"
