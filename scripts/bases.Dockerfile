# The images that scripts/release-image needs for a release, by digest. The first two are arguments of the Dockerfile.
# This file is never built; it is a Dockerfile so that Dependabot keeps it up to date.
FROM rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS RUST_IMAGE
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f AS RUNTIME_IMAGE
# generates the image's software bill of materials
FROM docker/buildkit-syft-scanner:1.12.0@sha256:ae4f3b554449e7e25548e7d8ccc029d17357348e30c6e3df01b92bc93654d6a9 AS SBOM_GENERATOR
# builds the image
FROM moby/buildkit:v0.34.0@sha256:b059f8d7226d0b326bc871af489a5dddf65e36af4d20d14251b072974d9ee87c AS BUILDER
