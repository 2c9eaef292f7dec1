# One image for every process of Ringlight: `ringlight worker`, `scheduler`, `registry`, `console`, `bench` and the client commands.
#   docker build -t ringlight .          (podman build and buildah bud do as well)
# How the containers of a cluster are run: docs/containers.md.

FROM node:24-bookworm AS build
WORKDIR /opt/ringlight
ENV NEXT_TELEMETRY_DISABLED=1 TURBO_TELEMETRY_DISABLED=1 DO_NOT_TRACK=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
COPY . .
# The image's own Node serves, so the Node that comes through npm is left out.
RUN npm ci --no-audit --no-fund \
 && rm -rf node_modules/node-linux-* node_modules/.bin/node \
 && node libs/native/build.cjs \
 && node_modules/.bin/turbo run build \
 && npm prune --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/node-linux-* node_modules/.bin/node node_modules/.cache apps/console/.next/cache .turbo apps/*/.turbo e2e \
 && mkdir -p /var/lib/ringlight

FROM node:24-bookworm-slim
ENV NODE_ENV=production NEXT_TELEMETRY_DISABLED=1
COPY --from=build /opt/ringlight /opt/ringlight
COPY --from=build --chown=node:node /var/lib/ringlight /var/lib/ringlight
RUN printf '#!/bin/sh\nexec node /opt/ringlight/apps/cli/src/main.ts "$@"\n' > /usr/local/bin/ringlight \
 && chmod 755 /usr/local/bin/ringlight
USER node
WORKDIR /var/lib/ringlight
VOLUME /var/lib/ringlight
# Worker: 29998 S3, 29999 gRPC, 28080 REST, probes and metrics. Scheduler: 19998 gRPC. Console: 19999.
EXPOSE 29998 29999 28080 19998 19999
ENTRYPOINT ["ringlight"]
CMD ["--help"]
