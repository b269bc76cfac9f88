# syntax=docker/dockerfile:1
# One static binary and the roots it trusts: no shell, no libc, no package to update.
#   docker build -t podfit .

FROM rust:1.95-slim-bookworm AS build
# The image has the C compiler that aws-lc needs, and one toolchain: rust-toolchain.toml is left out (.dockerignore), since
# it would have rustup fetch another.
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY src src
# Naming the target keeps the flags from build scripts and macros, and the same line builds for amd64 and arm64. Cargo
# wants every target of the manifest to be there, so benches stand in empty.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    target="$(rustc --print host-tuple)" \
    && mkdir -p benches/review benches/server && touch benches/review/main.rs benches/server/main.rs \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --bin podfit --target "$target" \
    && cp "target/$target/release/podfit" /podfit

FROM scratch
LABEL org.opencontainers.image.title="podfit" \
      org.opencontainers.image.description="Fits every container's runtime to its Pod's limits: a Kubernetes admission webhook" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /podfit /podfit
# Memory of a large review goes back to the system at once, and is not kept per thread: the most that podfit takes is then what
# one of the largest needs.
ENV GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=262144
# In a container its own address is the only one that leads anywhere.
ENV PODFIT_LISTEN=0.0.0.0:8443 PODFIT_ADMIN_LISTEN=0.0.0.0:8080
EXPOSE 8443 8080
USER 65532:65532
ENTRYPOINT ["/podfit"]
CMD ["serve"]
