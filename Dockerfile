# The service in an image of its own: the program, the C library it stands on and nothing else. No
# shell, no package manager, no root, nothing that it writes to a disk.
#
#   docker build -t rocketchat-import .
#   docker run --read-only -p 3000:3000 -e MONGO_URL=mongodb://... rocketchat-import
#
# `serve` is what it does unless told otherwise; `docker run ... rocketchat-import --help` lists the rest.
# Plain Dockerfile syntax throughout, so that engines without BuildKit build it too.

ARG RUST_IMAGE=rust:1.95-slim-bookworm

FROM ${RUST_IMAGE} AS build
WORKDIR /build

# The memory allocator is built by make, which the slim image lacks.
RUN command -v make >/dev/null || \
    { apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*; }

# As Cargo.toml has them. A build that is only to be looked at takes less:
# `--build-arg LTO=off --build-arg OPT_LEVEL=0 --build-arg CODEGEN_UNITS=64`.
ARG LTO=thin
ARG OPT_LEVEL=3
ARG CODEGEN_UNITS=4
ENV CARGO_PROFILE_RELEASE_LTO=${LTO} CARGO_PROFILE_RELEASE_OPT_LEVEL=${OPT_LEVEL} \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=${CODEGEN_UNITS}

# First the dependencies alone, under an empty program: the long part, done anew only when they change.
# The empty files beside it are for the tests and benchmarks that Cargo.toml may name, which cargo
# wants to see and this image does not need.
COPY Cargo.toml Cargo.lock ./
RUN set -eu; \
    mkdir src; \
    : >src/lib.rs; \
    echo 'fn main() {}' >src/main.rs; \
    awk -F '"' ' \
        /^\[/ { folder = "" } \
        /^\[\[bench\]\]/ { folder = "benches" } \
        /^\[\[test\]\]/ { folder = "tests" } \
        /^\[\[example\]\]/ { folder = "examples" } \
        folder != "" && /^name *=/ { print folder "/" $2 ".rs" } \
        folder != "" && /^path *=/ { print $2 } \
    ' Cargo.toml | while read -r file; do install -D /dev/null "$file"; done; \
    cargo build --release --locked --no-default-features

# Then the program. Its files may be older than the empty ones just built, and cargo goes by the date.
COPY src src
COPY migrations migrations
COPY deploy/mongodb deploy/mongodb
RUN set -eu; \
    touch src/lib.rs src/main.rs; \
    cargo build --release --locked --no-default-features

# The final image's whole file system: the program and the libraries that it asks for, loader
# included. Host names need no library besides: the C library looks them up in files and by DNS itself.
RUN set -eu; \
    program=target/release/rocketchat-import; \
    install -D "$program" /image/usr/local/bin/rocketchat-import; \
    ldd "$program" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | while read -r library; do \
        mkdir -p "/image$(dirname "$library")"; \
        cp -L "$library" "/image$library"; \
    done; \
    mkdir /image/etc; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf; \
    echo 'nobody:x:65532:65532::/:/nonexistent' >/image/etc/passwd; \
    echo 'nobody:x:65532:' >/image/etc/group; \
    /image/usr/local/bin/rocketchat-import --version

FROM scratch
LABEL org.opencontainers.image.title="rocketchat-import" \
    org.opencontainers.image.description="Rocket.Chat's import API as a service of its own, on Rocket.Chat's MongoDB" \
    org.opencontainers.image.licenses="MIT"
COPY --from=build /image/ /
# By number, so that an orchestrator that insists on a user other than root can tell that it is one.
USER 65532:65532
# Outside of a container the service listens on loopback alone. In here that would be reached by nobody.
ENV BIND_IP=0.0.0.0 PORT=3000
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/rocketchat-import", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/rocketchat-import"]
CMD ["serve"]
