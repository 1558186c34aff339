#!/usr/bin/env bash
# The chart in a real cluster: images built and loaded, installed, an attack in a pod, its alert with pod and namespace,
# uninstalled. Needs kind, a Docker Engine, and the node's image (KIND_IMAGE, else kind's own default) and an image with a
# shell (ACT_IMAGE); says which is missing and is skipped otherwise. Binaries come from DEFENDER_DIST.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ../chart/tools.sh

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

command -v kind >/dev/null || skip "kind is not installed"
source ../compose/engine.sh
find_client || skip "no docker client that can use BuildKit"
command -v dockerd >/dev/null || answers "${DOCKER_HOST:-unix:///run/docker.sock}" || skip "no Docker Engine"
dist="${DEFENDER_DIST:-$repository/dist}"
for program in backend collector-ds collector-misc prepare-node publisher-ds; do
    if [ ! -x "$dist/$program" ]; then
        echo "$dist/$program is missing: cargo xtask dist makes it, or set DEFENDER_DIST" >&2
        echo "0 passed, 1 failed"
        exit 1
    fi
done

scratch="$(mktemp -d)"
cluster="defender-$$"
forward_pid=
export KUBECONFIG="$scratch/kubeconfig"
clean_up() {
    [ -z "$forward_pid" ] || kill "$forward_pid" 2>/dev/null || true
    [ ! -s "$KUBECONFIG" ] || kind delete cluster --name "$cluster" || true
    stop_engine
    rm -rf "$scratch"
}
trap clean_up EXIT
find_or_start_engine

image_there() {
    "$DOCKER" image inspect "$1" >/dev/null 2>&1 || "$DOCKER" pull --quiet "$1" >/dev/null 2>&1
}
act_image="${ACT_IMAGE:-docker.io/library/busybox:1.36}"
image_there "$act_image" || skip "the image $act_image cannot be pulled"
kind create cluster --name "$cluster" --config kind.yaml --wait 180s ${KIND_IMAGE:+--image "$KIND_IMAGE"} \
    || { [ -n "${KIND_IMAGE:-}" ] || skip "kind could not create a cluster"; exit 1; }

passed=0
failed=0
# check WHAT COMMAND... In a shell of its own outside of any condition: within one, bash goes on after a command that fails.
check() {
    local what="$1" status
    shift
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        echo "ok: $what"
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

build_and_load() {
    local context="$scratch/context" program
    mkdir -p "$context/dist"
    cp "$dist"/{backend,collector-ds,collector-misc,prepare-node,publisher-ds} "$context/dist/"
    cp -r "$repository"/{rules,Dockerfile,.dockerignore,LICENSE} "$context/"
    for program in backend collector-ds collector-misc publisher-ds; do
        DOCKER_BUILDKIT=1 "$DOCKER" build --quiet --build-arg BINARIES=prebuilt --target "$program" \
            --tag "localhost/defender/$program:kind" "$context"
        kind load docker-image --name "$cluster" "localhost/defender/$program:kind"
    done
    kind load docker-image --name "$cluster" "$act_image"
}

install() {
    "$HELM" upgrade --install defender "$repository/charts/defender" --namespace kube-system --values values.yaml --wait --timeout 5m
}

in_system() {
    "$KUBECTL" --namespace kube-system "$@"
}

ready() {
    in_system rollout status --timeout 180s daemonset/defender-collector-ds \
        && in_system rollout status --timeout 180s daemonset/defender-publisher-ds \
        && in_system rollout status --timeout 180s deployment/defender-collector-misc \
        && in_system rollout status --timeout 180s statefulset/defender-backend
}

attack() {
    "$KUBECTL" create namespace shop
    "$KUBECTL" --namespace shop run victim --image "$act_image" --image-pull-policy Never --command -- sleep 3600
    "$KUBECTL" --namespace shop wait --for condition=Ready --timeout 120s pod/victim
    "$KUBECTL" --namespace shop exec victim -- sh -c 'cp /bin/busybox /tmp/true && /tmp/true kind-act'
}

forward() {
    in_system port-forward service/defender-console 18443:443 >"$scratch/forward.log" 2>&1 &
    forward_pid=$!
}

# The alert of the act, with the pod's name and namespace; polls for a minute.
alert_names_the_pod() {
    "$PYTHON" alert.py \
        --url https://127.0.0.1:18443 \
        --token "$(in_system get secret defender-api-token -o 'jsonpath={.data.token}' | base64 -d)" \
        --authority <(in_system get secret defender-ca -o 'jsonpath={.data.tls\.crt}' | base64 -d) \
        --rule 'Program run from a temporary directory in a container' --namespace shop --pod victim
}

unchanged_by_an_upgrade() {
    local before after
    before="$(in_system get secret defender-ca defender-backend-tls defender-publisher-tls defender-api-token -o 'jsonpath={.items[*].data}')"
    install >/dev/null
    after="$(in_system get secret defender-ca defender-backend-tls defender-publisher-tls defender-api-token -o 'jsonpath={.items[*].data}')"
    [ "$before" = "$after" ]
}

nothing_left() {
    "$HELM" uninstall defender --namespace kube-system --wait --timeout 3m
    [ -z "$("$KUBECTL" get all,configmap,secret,networkpolicy --all-namespaces --selector app.kubernetes.io/part-of=defender --output name)" ]
}

check "images are built and loaded" build_and_load
check "the chart installs" install
check "everything becomes ready" ready
check "an attack runs in a pod" attack
forward
check "its alert names pod and namespace" alert_names_the_pod
check "an upgrade keeps keys, certificates and token" unchanged_by_an_upgrade
check "nothing is left after an uninstall" nothing_left
[ "$failed" = 0 ] || in_system logs --all-containers --prefix --tail 40 --selector app.kubernetes.io/part-of=defender || true
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
