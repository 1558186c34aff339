# The images of Defender, one target a binary:
#   docker build --target publisher-ds --tag registry.example.com/defender/publisher-ds:0.1.0 .
# Targets: collector-ds, collector-misc, publisher-ds, backend. BuildKit is needed (the classic builder would build
# stages that aren't wanted). Nothing but the binary and its files is in an image: no shell, no package manager.

# Where binaries come from. `compiled` builds them here; `prebuilt` takes static ones from dist/.
ARG BINARIES=compiled
# Any Debian-like image with Rust: a mirror's, or one of your own.
ARG BUILDER_IMAGE=docker.io/library/rust:1.95-bookworm

FROM ${BUILDER_IMAGE} AS builder
RUN apt-get update \
 && apt-get install --yes --no-install-recommends clang \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
ARG TARGETARCH
ARG REVISION=""
# --target is named although it is the machine's own: only so do the flags for static linking keep away from
# build scripts and procedural macros.
RUN case "${TARGETARCH}" in \
      amd64) target=x86_64-unknown-linux-gnu ;; \
      arm64) target=aarch64-unknown-linux-gnu ;; \
      *) echo "no target for architecture '${TARGETARCH}'" >&2; exit 1 ;; \
    esac \
 && DEFENDER_REVISION="${REVISION}" RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --target "$target" \
      --package collector-ds --package collector-misc --package publisher-ds --package prepare-node --package backend \
 && mkdir /binaries \
 && cd "target/$target/release" \
 && cp collector-ds collector-misc publisher-ds prepare-node backend /binaries/

FROM scratch AS compiled
COPY --from=builder /binaries/ /

FROM scratch AS prebuilt
COPY dist/ /

FROM ${BINARIES} AS binaries

# An empty folder to copy: an image without a shell can't make one, and where an image has the folder with its
# owner, Docker gives a new volume there the same owner.
FROM scratch AS folder
WORKDIR /empty

FROM scratch AS base
# The allocator gives memory back after 10 ms instead of a second: the sensor needs twice its usual memory while it
# loads its programs, and small limits are the promise. Nor does it ask for pages of 2 MiB, of which it fills a part.
ENV MIMALLOC_PURGE_DELAY=10 \
    MIMALLOC_ALLOW_THP=0
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Defender" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY LICENSE /LICENSE

# The sensor. Capabilities are given to uid 0 only; it needs SYS_ADMIN, SYS_RESOURCE and SYS_PTRACE.
FROM base AS collector-ds
LABEL org.opencontainers.image.title="Defender collector-ds" \
      org.opencontainers.image.description="Security events of a node, by eBPF"
COPY --from=binaries /collector-ds /collector-ds
COPY rules/ /etc/defender/rules/
USER 0:0
EXPOSE 9101
ENTRYPOINT ["/collector-ds"]

FROM base AS collector-misc
LABEL org.opencontainers.image.title="Defender collector-misc" \
      org.opencontainers.image.description="Pods and nodes of a cluster, from its API, and its audit events"
COPY --from=binaries /collector-misc /collector-misc
COPY rules/ /etc/defender/rules/
USER 65532:65532
EXPOSE 9103 8444
ENTRYPOINT ["/collector-misc"]

FROM base AS publisher-ds
LABEL org.opencontainers.image.title="Defender publisher-ds" \
      org.opencontainers.image.description="A node's way out: a durable spool and the only egress"
COPY --from=folder --chown=65532:65532 /empty/ /run/defender/
COPY --from=folder --chown=65532:65532 /empty/ /var/lib/defender/spool/
COPY --from=folder --chown=65532:65532 /empty/ /var/lib/defender/publisher/
COPY --from=binaries /prepare-node /prepare-node
COPY --from=binaries /publisher-ds /publisher-ds
USER 65532:65532
EXPOSE 9102
ENTRYPOINT ["/publisher-ds"]

FROM base AS backend
LABEL org.opencontainers.image.title="Defender backend" \
      org.opencontainers.image.description="Ingests, stores, alerts, shows"
COPY --from=folder --chown=65532:65532 /empty/ /var/lib/defender/backend/
COPY --from=binaries /backend /backend
USER 65532:65532
EXPOSE 8443 8080 9104
ENTRYPOINT ["/backend"]
