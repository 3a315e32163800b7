# The gateway alone: production dependencies, compiled sources, no shell scripts run at install, not root.

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
RUN npm ci --ignore-scripts --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/oathgate
COPY package.json ./
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
# For `dsn: embedded:///var/lib/oathgate`; mount a volume there.
RUN install -d -o node -g node /var/lib/oathgate
USER node
EXPOSE 4455 4434
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 CMD ["node", "dist/main.js", "health"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve", "-c", "/etc/oathgate/oathgate.yml"]
