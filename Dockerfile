# The base of both stages, in one place. `latest` of a tag moves: to build the same image again, name it by its digest,
# as `docker buildx imagetools inspect node:24-trixie-slim` prints it:
#   docker build --build-arg BASE=node:24-trixie-slim@sha256:... .
# Debian 13 it has to be: its runsc is the oldest that Runlet runs on.
ARG BASE=node:24-trixie-slim

# The packages are built with a compiler that the image does not keep.
FROM ${BASE} AS packages
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
# The base image brings Node and its headers; of the install scripts only node-pty's is needed.
RUN npm ci --omit=dev --ignore-scripts \
  && npm_config_nodedir=/usr/local npm rebuild --ignore-scripts=false node-pty

FROM ${BASE}
# python3 is there for functions in Python; tini reaps what a sandbox leaves to process 1, and hands signals on.
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    runsc erofs-utils iproute2 nftables python3 python3-pip ca-certificates tini \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY runtime runtime
COPY store store
COPY api api
COPY deploy/entry.sh deploy/entry.sh
ENV NODE_ENV=production \
  RUNLET_HOST=0.0.0.0 \
  RUNLET_DATA_DIR=/var/lib/runlet
VOLUME /var/lib/runlet
EXPOSE 7070
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.RUNLET_PORT || 7070}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# What the container needs, flag by flag, is in deploy/compose.yaml, and the same as one command in the README.
ENTRYPOINT ["tini", "--", "deploy/entry.sh"]
CMD ["node", "api/server.ts"]
