# syntax=docker/dockerfile:1

# The packages are built with a compiler that the image does not keep.
FROM node:24-trixie-slim AS packages
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
# The base image brings Node and its headers; of the install scripts only node-pty's is needed.
RUN npm ci --omit=dev --ignore-scripts \
  && npm_config_nodedir=/usr/local npm rebuild --ignore-scripts=false node-pty

FROM node:24-trixie-slim
# Debian 13 has the runsc that Runlet needs; python3 is there for functions in Python.
RUN apt-get update \
  && apt-get install -y --no-install-recommends runsc erofs-utils iproute2 nftables python3 python3-pip ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY runtime runtime
COPY store store
COPY api api
ENV NODE_ENV=production \
  RUNLET_HOST=0.0.0.0 \
  RUNLET_DATA_DIR=/var/lib/runlet
VOLUME /var/lib/runlet
EXPOSE 7070
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7070/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The first key is in /var/lib/runlet/admin.key: docker exec CONTAINER cat it.
# runsc makes namespaces and mounts: start the container with --privileged.
# --init reaps what a sandbox leaves to process 1: docker run --init --privileged -p 127.0.0.1:7070:7070 IMAGE
CMD ["npm", "run", "--silent", "start"]
