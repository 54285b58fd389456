#!/bin/sh
# What the Makefile's targets do, by runtime: Docker Compose where an engine runs and there is a
# docker-compose.yml, otherwise the processes of deploy/local. TPS_RUNTIME=local|docker decides it.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=${TPS_ROOT:-$(cd "$HERE/../.." && pwd)}
CLI=$HERE/dist/cli.js
PATH=$ROOT/.tps/tools/pnpm/node_modules/.bin:$PATH:$ROOT/.tps/tools/nats-server:/usr/sbin:/usr/local/sbin
export PATH pnpm_config_pm_on_fail=ignore

die() { printf '%s\n' "$*" >&2; exit 1; }

runtime() {
  case ${TPS_RUNTIME:-} in
  local | docker) echo "$TPS_RUNTIME" ;;
  '') if [ -f "$ROOT/docker-compose.yml" ] && engine_runs; then echo docker; else echo local; fi ;;
  *) die "TPS_RUNTIME is \"$TPS_RUNTIME\": it must be \"local\" or \"docker\"." ;;
  esac
}

# An engine that hangs must not hang make.
engine_runs() {
  command -v docker >/dev/null || return 1
  docker info >/dev/null 2>&1 & asked=$!
  (sleep 5; kill "$asked") >/dev/null 2>&1 & limit=$!
  status=0
  { wait "$asked" || status=$?; } 2>/dev/null
  kill "$limit" 2>/dev/null || :
  return "$status"
}

compose() {
  cd "$ROOT"
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# Like compose itself: the environment, then .env, then the default.
setting() {
  eval "value=\${$1:-}"
  [ -n "$value" ] || value=$(sed -n "s/^$1=\([^ #]*\).*/\1/p" "$ROOT/.env" 2>/dev/null | tail -n 1)
  echo "${value:-$2}"
}

# --- Docker Compose ---------------------------------------------------------------------------------

in_docker() {
  api=http://localhost:$(setting HTTP_PORT 8080)
  case $1 in
  up) compose up -d --build ;;
  down) compose down ;;
  clean) compose down --volumes --remove-orphans ;;
  restart) compose up -d --force-recreate ;;
  health) docker_health "$api" ;;
  status | info | metrics)
    answer=$(curl -fsS -m 5 "$api/$1")
    printf '%s\n' "$answer" | pretty
    ;;
  logs) shift; compose logs -f --tail 50 "$@" ;;
  profile) cd "$ROOT" && docker stats $(compose ps -q) ;;
  run-local) compose up --build ;;
  build) compose build ;;
  dashboard) echo "Grafana: http://localhost:3000 (admin/admin)" ;;
  traces) echo "Jaeger: http://localhost:16686 (service tps-system, operation process_signal)" ;;
  esac
}

docker_health() {
  failed=0
  check "TPS System" "$1/health/ready"
  check Prometheus http://localhost:9091/-/ready
  check Grafana http://localhost:3000/api/health
  check Jaeger http://localhost:16686/
  check NATS http://localhost:8222/healthz
  check RabbitMQ http://localhost:15672/
  return "$failed"
}

check() {
  if curl -fsS -m 2 -o /dev/null "$2" 2>/dev/null; then echo "$1: ✓ UP"; else echo "$1: ✗ DOWN"; failed=1; fi
}

pretty() { if command -v jq >/dev/null; then jq .; else cat; fi; }

# --- local ------------------------------------------------------------------------------------------

in_local() {
  case $1 in
  up | restart | run-local) "$HERE/bootstrap.sh" ;;
  build) exec "$HERE/bootstrap.sh" ;;
  dashboard) exec echo "The local runtime runs no Grafana. The figures are at /metrics (make metrics), the board at /andon." ;;
  traces) exec echo "The local runtime runs no Jaeger. Set JAEGER_ENDPOINT to one that runs elsewhere; a signal's own way is in its timeline, GET /signal/<id>." ;;
  # The rest must work when the sources do not build: `down` most of all.
  *) [ -f "$CLI" ] || "$HERE/bootstrap.sh" ;;
  esac
  case $1 in
  logs) [ "${2:-}" != tps-system ] || set -- logs system ;;
  esac
  exec node --enable-source-maps "$CLI" "$@"
}

# --- both -------------------------------------------------------------------------------------------

case ${1:-} in
pnpm)
  shift
  "$HERE/bootstrap.sh"
  cd "$ROOT" && exec pnpm --silent "$@"
  ;;
# bench/dist/<program>.js, whichever runtime the fleet is in: it only needs its port.
bench)
  program=$2
  shift 2
  [ -f "$ROOT/bench/dist/$program.js" ] || "$HERE/bootstrap.sh"
  # No options for the others: the bench's child processes would inherit them.
  [ "$program" != flame ] || exec node --experimental-websocket "$ROOT/bench/dist/flame.js" "$@"
  exec node "$ROOT/bench/dist/$program.js" "$@"
  ;;
'') die "usage: $0 <command>" ;;
*)
  chosen=$(runtime)
  "in_$chosen" "$@"
  ;;
esac
