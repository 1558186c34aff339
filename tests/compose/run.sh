#!/usr/bin/env bash
# The images under docker compose, with the chart's limits: an act in a further container raises its alert, Prometheus
# scrapes everything. Takes the static binaries from DEFENDER_DIST (`cargo xtask dist` makes them), and certificates from
# DEFENDER_CERTIFICATES where that is set (ca.crt, backend.crt, backend.key, publisher.crt, publisher.key).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ../chart/tools.sh
source ./engine.sh
export DEFENDER_DIST="${DEFENDER_DIST:-$repository/dist}"
for program in backend collector-ds collector-misc prepare-node publisher-ds; do
    if [ ! -x "$DEFENDER_DIST/$program" ]; then
        echo "$DEFENDER_DIST/$program is missing: cargo xtask dist makes it, or set DEFENDER_DIST" >&2
        echo "0 passed, 1 failed"
        exit 1
    fi
done
install_debian prometheus prometheus
find_client
find_compose
trap stop_engine EXIT
find_or_start_engine
export DOCKER COMPOSE
"$PYTHON" ../chart/run.py .
