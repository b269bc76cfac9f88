# The steps of CI, one by one: each recipe is a stage of .ci/run, so that the two cannot differ.

[private]
default:
    @just --list

# Formats the code; CI only checks it.
fmt:
    cargo fmt

clippy:
    .ci/run clippy

# Licences, banned and doubled crates, sources, advisories.
deny:
    .ci/run deny

# Checks the scripts.
shell:
    .ci/run shell

test:
    .ci/run test

# The real runtimes, those of packages too.
runtimes:
    .ci/run runtimes

# The HTML report and the dashboard in a real headless Chromium.
browser:
    .ci/run browser

# podfit with a real control plane: etcd, kube-apiserver, kube-controller-manager.
cluster-test:
    .ci/run cluster

# The same with a Kubernetes two minors older.
cluster-test-older:
    PODFIT_KUBERNETES=1.34 .ci/run cluster

release:
    .ci/run release

# Measures; .ci/run only runs each bench once.
bench *ARGUMENTS:
    cargo bench --bench review -- {{ ARGUMENTS }}

# podfit beside a bare server, over TLS: the table of the README. `--whole` sends a million reviews instead of 100,000.
bench-server *ARGUMENTS:
    cargo build --release --example bare-server
    cargo bench --profile release --bench server -- {{ ARGUMENTS }}

# The load and failure suite on the release build: each case makes trouble for so long, some minutes in all. CI runs its short
# form among the tests.
soak SECONDS='15':
    cargo build --release
    PODFIT_SOAK_SECONDS={{ SECONDS }} PODFIT_PROGRAM=${CARGO_TARGET_DIR:-target}/release/podfit cargo test --test soak

# Scans 100,000 Pods of a stand-in for an API server: time and memory.
scan-figures:
    cargo build --release
    PODFIT_PROGRAM=${CARGO_TARGET_DIR:-target}/release/podfit cargo test --test scan figures -- --ignored --nocapture

# Coverage-guided, for so many seconds a target: review, annotations, manifest, policy, suite, quantity, image. Tests replay
# the corpus.
fuzz TARGETS='all' SECONDS='60':
    PODFIT_FUZZ_TARGETS='{{ TARGETS }}' PODFIT_FUZZ_SECONDS={{ SECONDS }} .ci/run fuzz

# Makes fuzz/corpus/ of what the runs of `just fuzz` have found here: the least that reaches as much.
fuzz-corpus TARGETS='all':
    PODFIT_FUZZ_TARGETS='{{ TARGETS }}' .ci/run corpus

# What Kubernetes' own libraries make of thousands of quantities and images; the tests only compare. Needs Go.
golden:
    cd tests/golden && go run .

# Writes what the commands of the README and of docs/ print now into them, and what podfit exports into the chart; the tests
# only compare.
readme:
    PODFIT_UPDATE_DOCUMENTATION=1 cargo test --test project -- documentation backstop

# Renders what is in deploy/ from its chart; the tests only compare. Needs helm.
deploy:
    cargo run --quiet -- policy crd > deploy/chart/crds/sizingpolicies.yaml
    deploy/render.sh

# podfit in a kind cluster of its own, and the suite against it. Needs docker, kind and kubectl.
kind-up:
    deploy/kind.sh up

kind-down:
    deploy/kind.sh down

# A pair for a laptop or kind.
certs *HOSTS:
    certs/local.sh {{ HOSTS }}

# Every stage, as CI runs them.
ci:
    .ci/run

# A thousand policies and ten thousand namespaces on a real API server: memory, and how soon a change is in force.
governance-figures:
    cargo build --release
    PODFIT_FIGURES=1 PODFIT_PROGRAM=${CARGO_TARGET_DIR:-target}/release/podfit cargo test --test cluster figures_of
