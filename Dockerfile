# The service's image: one binary on distroless, the same on a laptop and in production.
#     docker run -p 8000:8000 -v birthdays:/var/lib/birthday-api IMAGE
#
# A release pins both base images by digest: --build-arg RUST_IMAGE=rust:1.95-slim-bookworm@sha256:...
# jemalloc, ring and SQLite are C, so each platform is built natively and nothing is cross-compiled:
# `docker buildx build --platform linux/amd64,linux/arm64` with a builder that has a node for each platform.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS build
# make is for jemalloc; the image already has gcc and the C library's headers
RUN apt-get -o Acquire::Retries=3 update \
 && apt-get -o Acquire::Retries=3 install -y --no-install-recommends make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# by default jemalloc supports no pages larger than the build machine's; scripts/release-image sets this for arm64
ARG JEMALLOC_SYS_WITH_LG_PAGE

# Builds the dependencies with an empty crate, so that their layer stays cached until the manifests change.
# Cargo requires a file for every target in the manifest.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches && touch src/lib.rs benches/instructions.rs && echo 'fn main() {}' >src/main.rs \
 && cargo build --release --locked --features jemalloc \
 && cargo clean --release --package birthday-api

COPY . .
# On x86-64 packed relocations save reading a megabyte at every start, and keeping it in memory; they need glibc 2.36, which the final
# image has. ld 2.40 ignores the option on arm64.
RUN cargo rustc --release --frozen --features jemalloc --bin birthday-api -- -C link-arg=-Wl,-z,pack-relative-relocs \
 && mkdir /empty

FROM ${RUNTIME_IMAGE}
COPY --from=build /src/target/release/birthday-api /usr/local/bin/
# SQLite's file is here when no database is configured. A volume mounted here inherits the owner.
COPY --from=build --chown=65532:65532 /empty /var/lib/birthday-api
WORKDIR /var/lib/birthday-api
# the nonroot user of distroless, by number: Kubernetes' runAsNonRoot cannot verify a name
USER 65532:65532
ENV ROCKET_ADDRESS=0.0.0.0
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["birthday-api", "healthcheck"]
ENTRYPOINT ["birthday-api"]
CMD ["serve"]

# last: they change with every commit
ARG SOURCE=https://github.com/birthday-api/birthday-api
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title=birthday-api \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.source=${SOURCE} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.version=${VERSION}
