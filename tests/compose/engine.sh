# A Docker Engine for the tests: the one that answers, or a dockerd of their own that ends with them. To be sourced;
# sets DOCKER (a client that can use BuildKit), COMPOSE and DOCKER_HOST. Call stop_engine at the end.

engine_pid=

# The clients from 23 on need the plugin buildx for BuildKit; Debian's 20.10 has it built in.
find_client() {
    local candidate
    for candidate in /usr/bin/docker docker; do
        command -v "$candidate" >/dev/null || continue
        if "$candidate" buildx version >/dev/null 2>&1 || [[ "$("$candidate" --version)" == *" 20.10."* ]]; then
            DOCKER="$candidate"
            return
        fi
    done
    echo "no docker client that can use BuildKit (on Debian 12: apt-get install docker.io)" >&2
    return 1
}

find_compose() {
    if "$DOCKER" compose version >/dev/null 2>&1; then
        COMPOSE="$DOCKER compose"
    elif command -v docker-compose >/dev/null; then
        COMPOSE=docker-compose
    else
        echo "no docker compose (on Debian 12: apt-get install docker-compose)" >&2
        return 1
    fi
}

answers() {
    DOCKER_HOST="$1" timeout 10 "$DOCKER" info >/dev/null 2>&1
}

find_or_start_engine() {
    local host
    for host in "${DOCKER_HOST:-}" unix:///run/docker.sock; do
        if [ -n "$host" ] && answers "$host"; then
            export DOCKER_HOST="$host"
            return
        fi
    done
    start_engine
}

start_engine() {
    local data="${XDG_CACHE_HOME:-$HOME/.cache}/defender/docker" run=/run/defender-test-docker
    mkdir -p "$data" "$run"
    export DOCKER_HOST="unix://$run/docker.sock"
    dockerd --data-root "$data" --exec-root "$run" --pidfile "$run/dockerd.pid" --host "$DOCKER_HOST" >"$run/log" 2>&1 &
    engine_pid=$!
    local _
    for _ in $(seq 60); do
        answers "$DOCKER_HOST" && return
        kill -0 "$engine_pid" 2>/dev/null || break
        sleep 0.5
    done
    echo "dockerd does not answer; the end of $run/log:" >&2
    tail -n 20 "$run/log" >&2
    return 1
}

stop_engine() {
    if [ -n "$engine_pid" ]; then
        kill "$engine_pid" 2>/dev/null || true
        wait "$engine_pid" 2>/dev/null || true
    fi
}
