# The gateway alone: production dependencies, compiled sources, no shell scripts run at install, not root. Runs with a read-only
# root file system; the one place that it may write to is the folder of the embedded store, where that is used.

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# Source maps and types of dependencies are a third of their size, and nothing that runs.
RUN npm ci --ignore-scripts --omit=dev && find node_modules \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/oathgate
COPY package.json ./
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
# For `dsn: embedded:///var/lib/oathgate`; mount a volume there.
RUN install -d -o node -g node /var/lib/oathgate
# By number, which Kubernetes can tell from root: `node` of the base image.
USER 1000:1000
EXPOSE 4455 4434
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 CMD ["node", "dist/main.js", "health"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve", "-c", "/etc/oathgate/oathgate.yml"]
