# One image for all services: a container's command says which it runs, services/<name>/dist/main.js.
# Builds with and without BuildKit.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
ENV CI=true pnpm_config_pm_on_fail=ignore
COPY package.json ./
RUN npm install --global --no-audit --no-fund "$(node -p 'require("./package.json").packageManager')"
# What is downloaded follows from the lockfile alone, so a changed source does not repeat it.
COPY pnpm-lock.yaml pnpm-workspace.yaml ./
RUN pnpm fetch
COPY . .
RUN pnpm install --offline --frozen-lockfile --reporter=append-only && pnpm exec tsc -b services/*
# Only what runs: production dependencies, and neither sources nor tests.
RUN find . -name node_modules -prune -exec rm -rf {} + \
  && pnpm install --offline --frozen-lockfile --prod --reporter=append-only --filter-prod '{./services/*}...' \
  && rm -rf libs/testkit libs/*/src services/*/src \
  && find libs services -path '*/node_modules' -prune -o \
    \( -name '*.test.js*' -o -name '*.d.ts*' -o -name '*.tsbuildinfo' -o -name 'tsconfig.json' \) -exec rm -f {} +

FROM ${NODE_IMAGE}
ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="TPS Reference System" \
  org.opencontainers.image.description="Durable work on the six principles of the Toyota Production System" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Process 1 must pass signals on and reap orphans; Node does neither.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/libs libs
COPY --from=build /app/services services
COPY deploy/healthcheck.sh /usr/local/bin/healthcheck
USER 1000:1000
EXPOSE 8080 9090
# Ready, not only alive: this is what `depends_on` and `make up` wait for. Nothing restarts a container for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["healthcheck"]
ENTRYPOINT ["tini", "--", "node", "--min-semi-space-size=8", "--max-semi-space-size=8", "--enable-source-maps"]
CMD ["services/gateway/dist/main.js"]
