#!/usr/bin/env bash
# The audit webhook at a real API server: a cluster where the chart is installed with collectorMisc.audit.enabled, and whose API server sends
# its audit events there (docs/audit.md). DEFENDER_AUDIT_CONTEXT names its kubectl context, DEFENDER_AUDIT_NAMESPACE the release's
# namespace (kube-system unless given). Requests are dry runs: nothing is kept there. Skipped, and says so, where no context is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ../chart/tools.sh

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

[ -n "${DEFENDER_AUDIT_CONTEXT:-}" ] || skip "DEFENDER_AUDIT_CONTEXT names no cluster, so no real API server sent its events"
"$KUBECTL" --context "$DEFENDER_AUDIT_CONTEXT" version --request-timeout=20s >/dev/null || skip "the cluster $DEFENDER_AUDIT_CONTEXT does not answer"
exec "$PYTHON" at_api_server.py "$DEFENDER_AUDIT_CONTEXT" "${DEFENDER_AUDIT_NAMESPACE:-kube-system}"
