#!/usr/bin/env bash
# Renders everything in deploy/ that is not the chart from the chart: base, overlays, policies, dashboards.
# `just deploy` runs it; a test runs it into another folder and compares.
#   deploy/render.sh [FOLDER]    an absolute path; deploy/ itself without
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
readonly target=${1:-.}

main() {
    command -v helm >/dev/null || {
        echo "deploy/render.sh: helm is not on the PATH; install Helm 3 or 4" >&2
        exit 2
    }
    mkdir -p "$target"/{base,overlays/{kind,cert-manager,high-availability,cluster-policies,backstop},policies,dashboards}
    manifests base
    manifests overlays/kind \
        --set image.pullPolicy=Never,policies.preset=default,policies.httpServices=true,logLevel=debug
    manifests overlays/cert-manager --set certificates.source=cert-manager
    manifests overlays/high-availability \
        --set validate.failurePolicy=Fail,replicas=3,priorityClass.create=true
    manifests overlays/cluster-policies \
        --set policies.preset=none,policies.fromCluster=true --set-json 'policies.nodeDebugNamespaces=[]'
    cp chart/crds/sizingpolicies.yaml "$target/overlays/cluster-policies/crd.yaml"
    manifests overlays/backstop \
        --set backstop.enabled=true,policies.preset=default,replicas=2
    for preset in audit warn default strict; do
        policy "$preset" --set "policies.preset=$preset"
    done
    policy http-services --set policies.preset=default,policies.httpServices=true
    policy node-debug
    cp chart/dashboards/podfit.json "$target/dashboards/"
}

# A folder, and what sets it apart from the chart's own values.
manifests() {
    local folder=$1
    shift
    {
        echo "# Rendered from deploy/chart by deploy/render.sh. Edit the chart, and run it again."
        render --set createNamespace=true "$@"
    } >"$target/$folder/podfit.yaml"
}

# A policy stands in the ConfigMap as a block that is indented by four.
policy() {
    local name=$1
    shift
    render --show-only templates/configmap.yaml "$@" |
        awk -v head="  $name.yaml: |" '$0 == head {inside = 1; next} inside && !/^(    |$)/ {exit} inside {print substr($0, 5)}' >"$target/policies/$name.yaml"
}

# Versions of Helm differ in the empty lines between documents.
render() {
    helm template podfit chart --namespace podfit-system "$@" | sed '/^ *$/d'
}

main
