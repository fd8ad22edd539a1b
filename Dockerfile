# syntax=docker/dockerfile:1
#
#   docker build -t local-send .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges --stop-timeout 60 -p 127.0.0.1:5000:5000 -v local-send:/data -e TRUST_PROXY=172.17.0.1 local-send
#
# Only /data is written to. Settings are environment variables (README.md). The process is the container's first one and ends
# by itself at SIGTERM; put a reverse proxy with TLS before it, and name that proxy in TRUST_PROXY.

FROM node:24-slim AS build
WORKDIR /app
# .npmrc lets no package run a script of its own at install.
COPY .npmrc package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts

FROM node:24-slim
LABEL org.opencontainers.image.title="local-send" \
      org.opencontainers.image.description="Hand a large file to somebody with nothing but a short password: a self-hosted, encrypting file transfer service." \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production HOST=0.0.0.0 PORT=5000 UPLOAD_FOLDER=/data
# glibc keeps what was freed unless its threshold is fixed: after a crowd of uploads the process would stay twice as large.
ENV MALLOC_TRIM_THRESHOLD_=131072
WORKDIR /app
COPY --from=build /app/LICENSE /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A new volume takes over the owner of the folder that it covers; a folder of the host must belong to 1000 already.
RUN install --directory --owner=1000 --group=1000 --mode=0700 /data
VOLUME /data
# The image's user "node", by number: so Kubernetes can see that it is not root.
USER 1000:1000
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`, { signal: AbortSignal.timeout(4000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=2", "--heap-growing-percent=100", "dist/server.js"]
