# The images of Tributary: `--target operator` and `--target replicator`. docker and buildah both build them.
#
# From source, which is the default and needs nothing but the network:
#   docker build --target replicator --tag tributary/replicator:0.1.0 .
# From binaries that are there already; DIR holds `operator` and `replicator`, built on the Debian release of BASE:
#   docker build --build-arg BINARIES=prebuilt --target replicator --tag tributary/replicator:0.1.0 --file Dockerfile DIR
# scripts/build-images does either for both images, and strips the binaries first.

# What the programs run on: glibc, libgcc, zlib, and the two packages that `base` adds where they are missing.
ARG BASE=debian:12-slim
# What compiles them: the same Debian release, so that glibc and OpenSSL are the ones of BASE.
ARG RUST=rust:1.95-bookworm
# Which of the two stages below gives the binaries: source | prebuilt. The other one is not even pulled.
ARG BINARIES=source

FROM ${RUST} AS source
WORKDIR /src
COPY . .
RUN scripts/install-build-tools \
 && cargo build --release --locked -p tributary-operator -p tributary-replicator --bin operator --bin replicator \
 && mv target/release/operator target/release/replicator /

FROM scratch AS prebuilt
COPY operator replicator /

FROM ${BINARIES} AS binaries

FROM ${BASE} AS base
# A BASE that has both already (the local one of a machine without network) is left as it is.
RUN if ! [ -e /etc/ssl/certs/ca-certificates.crt ] || ! ldconfig -p | grep -q 'libssl\.so\.3'; then \
      apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3 && rm -rf /var/lib/apt/lists/*; \
    fi
# A number, not a name: Kubernetes can only prove `runAsNonRoot` of a number.
USER 65532:65532
WORKDIR /

FROM base AS operator
COPY --from=binaries --chmod=0755 /operator /usr/local/bin/operator
ENTRYPOINT ["/usr/local/bin/operator"]

FROM base AS replicator
# By default glibc keeps freed memory in eight arenas a core: each compaction of large files left some there.
ENV MALLOC_ARENA_MAX=2
COPY --from=binaries --chmod=0755 /replicator /usr/local/bin/replicator
ENTRYPOINT ["/usr/local/bin/replicator"]
