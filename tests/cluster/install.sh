#!/usr/bin/env bash
# Builds the programs of a control plane from their Go modules: `install.sh DIRECTORY` puts those that neither DIRECTORY nor
# KUBEBUILDER_ASSETS has into DIRECTORY. PODFIT_KUBERNETES chooses a folder of programs/. `install.sh --fetch DIRECTORY` only
# fetches Go and the modules, so that a network without them can be told from a program that does not build.
# Called by `.ci/run cluster`.
set -euo pipefail

step=build
if [[ ${1:-} == --fetch ]]; then
    step=fetch
    shift
fi
readonly step

directory=$(realpath -m "${1:?a directory}")
readonly directory
readonly kubernetes=${PODFIT_KUBERNETES:-1.36}
readonly toolchain=1.26.8
programs=$(cd "$(dirname "${BASH_SOURCE[0]}")/programs" && pwd)
readonly programs

main() {
    mkdir -p "$directory"
    "$step" "$kubernetes" etcd go.etcd.io/etcd/server/v3
    "$step" "$kubernetes" kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
    "$step" "$kubernetes" kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
    "$step" "$kubernetes" kubectl k8s.io/kubernetes/cmd/kubectl
    "$step" helm helm helm.sh/helm/v4/cmd/helm
}

fetch() {
    local module=$1 program=$2 package=$3
    is_there "$program" && return
    need_go
    cd "$programs/$module"
    go list -mod=readonly -deps "$package" >/dev/null
}

is_there() {
    [[ -x $directory/$1 || -x ${KUBEBUILDER_ASSETS:-}/$1 ]]
}

build() {
    local module=$1 program=$2 package=$3 started=$SECONDS
    is_there "$program" && return
    need_go
    cd "$programs/$module"
    CGO_ENABLED=0 go build -mod=readonly -ldflags "-s -w $(stamp)" -o "$directory/.$program" "$package"
    # Whoever finds a program here starts it: it appears whole or not at all.
    mv "$directory/.$program" "$directory/$program"
    echo "built $program in $((SECONDS - started)) s"
}

# Unstamped programs call themselves v0.0.0 and leave features off that began with a later version. Helm has no such stamp.
stamp() {
    local version major minor
    version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' go.mod)
    IFS=. read -r major minor _ <<<"${version#v}"
    printf -- '-X k8s.io/component-base/version.%s ' "gitVersion=$version" "gitMajor=$major" "gitMinor=$minor"
}

# Debian 12's Go is too old for Kubernetes and knows no GOTOOLCHAIN, but it can fetch a newer one, which is a module too.
need_go() {
    go version 2>/dev/null | grep -Eq 'go1\.(2[6-9]|[3-9][0-9])' && return
    local root=$directory/go-$toolchain
    [[ -x $root/bin/go ]] || install_go "$root"
    export PATH=$root/bin:$PATH GOROOT=$root GOTOOLCHAIN=local
}

install_go() {
    local root=$1 module
    command -v go >/dev/null || install_package golang-go
    module=$(cd / && go mod download -json "golang.org/toolchain@v0.0.1-go$toolchain.linux-$(go env GOARCH)" |
        sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    rm -rf "$root.new"
    cp -r "$module" "$root.new"
    chmod -R u+w "$root.new"
    # What a module's archive cannot hold: files called go.mod, and the permission to run.
    find "$root.new" -name _go.mod -execdir mv {} go.mod \;
    chmod +x "$root.new"/bin/* "$root.new"/pkg/tool/*/*
    mv "$root.new" "$root"
}

install_package() {
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ca-certificates
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

main
