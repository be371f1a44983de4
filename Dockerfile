# syntax=docker/dockerfile:1

# One target per image: docker build --target operator|gateway|chatserver|postgres .
#
# The tag says what a base is, the digest which one it is. Raise them together; a build can be given others:
#   docker build --build-arg BASE=gcr.io/distroless/static-debian12:nonroot@sha256:... --target operator .
ARG GO=golang:1.26-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d
ARG NODE=node:20-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0
ARG BASE=gcr.io/distroless/static-debian12:nonroot@sha256:d093aa3e30dbadd3efe1310db061a14da60299baff8450a17fe0ccc514a16639
ARG DEBIAN=debian:bookworm-slim@sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716

FROM ${NODE} AS web
WORKDIR /src/chatserver/web/app
COPY chatserver/web/app/ ./
RUN npm ci && npm run build

FROM ${GO} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api/ api/
COPY cmd/ cmd/
COPY controllers/ controllers/
COPY chatserver/ chatserver/
COPY gateway/ gateway/
COPY --from=web /src/chatserver/web/dist/ chatserver/web/dist/
ENV CGO_ENABLED=0
RUN go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/operator ./cmd/gateway ./cmd/chatserver
COPY kms/ kms/
RUN go -C kms build -trimpath -ldflags='-s -w' -o /out/kms .

FROM ${BASE} AS operator
COPY --from=build /out/operator /operator
USER 65532:65532
ENTRYPOINT ["/operator"]

FROM ${BASE} AS gateway
COPY --from=build /out/gateway /gateway
USER 65532:65532
ENTRYPOINT ["/gateway"]

FROM ${BASE} AS chatserver
COPY --from=build /out/chatserver /chatserver
# Run by the chat server, for the time of a call, where a cloud holds the tenant's key.
COPY --from=build /out/kms /kms
USER 65532:65532
ENTRYPOINT ["/chatserver"]

# The operator supplies the commands; the image supplies PostgreSQL, a shell and a passwd entry for uid 999.
FROM ${DEBIAN} AS postgres
RUN groupadd --gid 999 postgres \
 && useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql --no-create-home postgres \
 && mkdir -p /etc/postgresql-common/createcluster.d \
 && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/none.conf \
 && apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-15 \
 && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin
USER 999:999
