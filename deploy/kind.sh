#!/usr/bin/env bash
# podfit in a kind cluster of its own: `kind.sh up` makes the cluster, builds and loads the image, installs overlays/kind, sees
# that it refuses and injects, and runs the suite against it; `kind.sh down` deletes the cluster. `just kind-up` and
# `just kind-down` call it. A cluster that is there already is used again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly cluster=${PODFIT_KIND_CLUSTER:-podfit}
readonly kubernetes_image=${PODFIT_KIND_IMAGE:-}

main() {
    case ${1:-} in
        up) up ;;
        down) down ;;
        *)
            echo "deploy/kind.sh up | down" >&2
            exit 2
            ;;
    esac
}

up() {
    need kind "see kind.sigs.k8s.io"
    need docker "or podman under that name"
    need kubectl "see kubernetes.io"
    docker info >/dev/null 2>&1 || fail "docker is on the PATH, but no engine answers it (docker info); start it"
    local image
    image=podfit:$(sed -n 's/^appVersion: //p' deploy/chart/Chart.yaml)
    kind get clusters 2>/dev/null | grep -qx "$cluster" ||
        kind create cluster --name "$cluster" --wait 120s ${kubernetes_image:+--image "$kubernetes_image"}
    docker build --tag "$image" .
    kind load docker-image "$image" --name "$cluster"
    use_cluster
    install
    see_it_work
    run_suite
    install
    echo "podfit serves in kind-$cluster; kind export kubeconfig --name $cluster points kubectl at it"
}

# Without the ConfigMap of before, whose keys would stay.
install() {
    kubectl --namespace podfit-system delete configmap podfit-policy --ignore-not-found
    kubectl apply -k deploy/overlays/kind
    restart
}

# The tag of the image stays the same when the program changes, and a changed ConfigMap takes the kubelet a minute.
restart() {
    kubectl --namespace podfit-system rollout restart deployment/podfit
    kubectl --namespace podfit-system rollout status deployment/podfit --timeout=120s
}

# Under the policies that its cases name.
run_suite() {
    kubectl --namespace podfit-system delete configmap podfit-policy
    kubectl --namespace podfit-system create configmap podfit-policy --from-file=tests/cluster/policies.yaml
    restart
    PODFIT_CLUSTER_KUBECONFIG=$KUBECONFIG cargo test --test cluster
}

down() {
    need kind "see kind.sigs.k8s.io"
    kind delete cluster --name "$cluster"
}

# A file of its own: neither the kubectl of the person who runs this nor the suite can meet another cluster by it.
use_cluster() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    export KUBECONFIG=$work/kubeconfig
    kind get kubeconfig --name "$cluster" >"$KUBECONFIG"
}

# The API server learns of a changed webhook configuration a moment after podfit does.
see_it_work() {
    local answer deadline=$((SECONDS + 30))
    until is_refused; do
        ((SECONDS < deadline)) || fail "a Pod without limits was not refused by podfit"
        sleep 1
    done
    answer=$(kubectl create --dry-run=server --output yaml --filename - <<'END'
apiVersion: v1
kind: Pod
metadata:
  name: careful
spec:
  containers:
    - name: app
      image: registry.example/careful:1.0
      resources:
        limits: {cpu: 500m, memory: 256Mi}
END
    )
    [[ $answer == *GOMEMLIMIT* ]] || fail "nothing was injected: $answer"
}

is_refused() {
    local answer
    answer=$(kubectl run careless --image=registry.example/careless --dry-run=server 2>&1) || true
    grep 'denied the request' <<<"$answer"
}

need() {
    command -v "$1" >/dev/null || fail "$1 is not on the PATH: install it ($2)"
}

fail() {
    echo "deploy/kind.sh: $1" >&2
    exit 2
}

main "$@"
