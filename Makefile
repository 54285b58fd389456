# The front door. Variables on the command line reach the fleet: make up HTTP_PORT=8081
# TPS_RUNTIME=local|docker chooses where it runs; without it Docker Compose is used where an engine runs.

RUN := ./deploy/local/run.sh

.DEFAULT_GOAL := help
.PHONY: help up down clean restart health status info metrics logs logs-system logs-nats logs-rabbitmq \
	profile run-local build test lint format sbom render k8s dashboard traces \
	bench bench-peers bench-stop records load spike stress chaos faults flame

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 } \
		/^##/ { printf "%s\n", substr($$0, 4) }' $(MAKEFILE_LIST)

up: ## start the whole fleet; returns when all of it is healthy
	@$(RUN) up

down: ## stop it; data stays
	@$(RUN) down

clean: ## stop it and remove data and logs
	@$(RUN) clean

restart: ## down, then up: applies changed configuration and code
	@$(RUN) restart

health: ## is every part up?
	@$(RUN) health

status: ## health and figures as JSON
	@$(RUN) status

info: ## version and configuration as JSON
	@$(RUN) info

metrics: ## figures as JSON
	@$(RUN) metrics

logs: ## all logs, and what follows (ctrl-C ends)
	@$(RUN) logs

logs-system: ## logs of the gateway
	@$(RUN) logs tps-system

logs-nats: ## logs of the message broker
	@$(RUN) logs nats

logs-rabbitmq: ## logs of the backup broker
	@$(RUN) logs rabbitmq

profile: ## CPU and memory of each process, live
	@$(RUN) profile

run-local: ## run the fleet in the foreground; ctrl-C stops it
	@$(RUN) run-local

build: ## install dependencies and compile (Docker: build the images)
	@$(RUN) build

test: ## build, lint and every test
	@$(RUN) pnpm test

lint: ## formatting, lint rules, unused code and dependencies, doc comments, prose
	@$(RUN) pnpm lint

format: ## format all files
	@$(RUN) pnpm format

sbom: ## what runs is made of: a CycloneDX bill of materials in .tps/sbom.cdx.json
	@$(RUN) pnpm sbom --sbom-format cyclonedx --sbom-type application --prod --out .tps/sbom.cdx.json

render: ## write what follows from the code into compose, chart, Prometheus and the documents
	@$(RUN) pnpm install
	@$(RUN) render
	@UPDATE_DOCS=1 $(RUN) pnpm exec jest --selectProjects fleet --silent \
		--testPathPatterns 'tests/src/(documents|compose|readmes|state)\.test'
	@if command -v helm >/dev/null; then $(MAKE) k8s; else echo 'k8s/fleet.yaml is unchanged: make k8s needs helm'; fi

k8s: ## render k8s/fleet.yaml from the Helm chart
	@./deploy/chart/render.sh >k8s/fleet.yaml.new && mv k8s/fleet.yaml.new k8s/fleet.yaml

dashboard: ## where the dashboards are
	@$(RUN) dashboard

traces: ## where the traces are
	@$(RUN) traces

bench: ## the fleet beside the barest pipeline of its kind, under 4 minutes (QUICK=1: under one)
	@$(RUN) bench bench $(if $(QUICK),--quick)

bench-peers: ## the fleet beside BullMQ, RabbitMQ, Moleculer and two floors, about 7 minutes (ROUNDS=2)
	@$(RUN) bench peers $(if $(ROUNDS),--rounds $(ROUNDS))

bench-stop: ## what a type that always fails costs the others, and how soon it is refused
	@$(RUN) bench stop

records: ## are a million records kept, found and counted after kill -9? (COUNT=100000: fewer; LOG=5000000: a longer log)
	@$(RUN) bench records $(if $(COUNT),--count $(COUNT)) $(if $(LOG),--log $(LOG))

load: ## 100 signals/s for 60 s to the running fleet; the result is green, yellow or red
	@$(RUN) bench load load

spike: ## 1000 signals/s for 10 s, with such a result
	@$(RUN) bench load spike

stress: ## 500 signals/s for 30 s, with such a result
	@$(RUN) bench load stress

chaos: ## kill each part of the running fleet in turn, under load, and see what held (SECONDS=60: so long each)
	@$(RUN) chaos $(if $(SECONDS),--seconds $(SECONDS))

faults: ## the fault suite and the loads of the board's lights at full length
	@TPS_FAULTS=long $(RUN) pnpm jest --selectProjects timed --runInBand --testPathPatterns 'tests/src/(faults|loads)'

flame: ## CPU profile of a running service: SERVICE=gateway (LOAD=1: under full load; DURATION=10)
	@$(RUN) bench flame $(or $(SERVICE),gateway) $(if $(DURATION),--seconds $(DURATION)) $(if $(LOAD),--load)

##
## Idempotency-Key: 1 to 64 letters, digits, "_", ".", ":" or "-". The same key means the same signal while it is
## unfinished and while the records have its outcome: for TPS_OUTCOMES_MAX_AGE (24 h), or as far as TPS_OUTCOMES_MAX_BYTES of them reach.
