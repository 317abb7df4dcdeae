# The image of roomgate: one static binary, the authorities that TLS trusts, and the licence. No shell, no package manager.
#
#   docker build --build-arg VERSION=v1.2.3 --build-arg REVISION=$(git rev-parse HEAD) -t roomgate .
#
# docs/deploy.md tells how to run it. The base of the first stage is an argument, so that it can come from anywhere: it needs Go,
# a shell, cp and mkdir, and /etc/ssl/certs/ca-certificates.crt. Nothing of it but that file is in the image.
ARG BUILD_IMAGE=docker.io/library/golang:1.26-bookworm

# On the machine's own platform: Go needs no emulation to build for another.
FROM --platform=${BUILDPLATFORM} ${BUILD_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=devel
ARG REVISION=unknown
RUN mkdir -p /out/etc/ssl/certs && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ && \
    cp LICENSE /out/ && \
    CGO_ENABLED=0 GOOS="$TARGETOS" GOARCH="$TARGETARCH" go build -trimpath \
        -ldflags "-s -w -X main.version=$VERSION -X main.revision=$REVISION" -o /out/roomgate ./cmd/roomgate

FROM scratch
ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="roomgate" \
      org.opencontainers.image.description="A WebSocket gateway for what your backends publish to Redis" \
      org.opencontainers.image.url="https://github.com/roomgate/roomgate" \
      org.opencontainers.image.source="https://github.com/roomgate/roomgate" \
      org.opencontainers.image.documentation="https://github.com/roomgate/roomgate/blob/main/docs/deploy.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ /
# By number, for runAsNonRoot of Kubernetes, which cannot look a name up. It owns nothing here.
USER 65532:65532
EXPOSE 8080 9090
# Kubernetes has probes of its own and ignores this. It asks at ROOMGATE_ADMIN_ADDR, as serve listens there.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["/roomgate", "health"]
ENTRYPOINT ["/roomgate"]
