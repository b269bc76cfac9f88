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

release:
    .ci/run release

# Measures; .ci/run only runs each bench once.
bench *ARGUMENTS:
    cargo bench --bench review -- {{ ARGUMENTS }}

# Any bytes as a body of both endpoints, for so many seconds. Needs a nightly toolchain and cargo-fuzz.
fuzz SECONDS='60':
    cargo +nightly fuzz run review -- -max_total_time={{ SECONDS }} -max_len=16384

# Runs the README's tour.
readme:
    .ci/run readme

# A pair for a laptop or kind.
certs *HOSTS:
    certs/local.sh {{ HOSTS }}

# Every stage, as CI runs them.
ci:
    .ci/run
