#!/bin/sh
# Runs the Makefile's targets: with Docker Compose (deploy/compose/run.sh) where an engine runs, otherwise with the
# processes of deploy/local. TPS_RUNTIME=local|docker decides.
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
  '') if engine_runs; then echo docker; else echo local; fi ;;
  *) die "TPS_RUNTIME is \"$TPS_RUNTIME\": it must be \"local\" or \"docker\"." ;;
  esac
}

# An engine that hangs must not hang make.
engine_runs() {
  command -v docker >/dev/null || return 1
  docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || return 1
  docker info >/dev/null 2>&1 & asked=$!
  (sleep 5; kill "$asked") >/dev/null 2>&1 & limit=$!
  status=0
  { wait "$asked" || status=$?; } 2>/dev/null
  kill "$limit" 2>/dev/null || :
  return "$status"
}

# --- local ------------------------------------------------------------------------------------------

in_local() {
  case $1 in
  up | restart | run-local) "$HERE/bootstrap.sh" ;;
  build) exec "$HERE/bootstrap.sh" ;;
  dashboard) exec echo "The local runtime runs no Grafana. The figures are at /metrics (make metrics), the board at /andon." ;;
  traces) exec echo "The local runtime runs no Jaeger. Set JAEGER_ENDPOINT to one that runs elsewhere, TPS_TRACES_URL to its page; a signal's own way is in its timeline, GET /signal/<id>." ;;
  # Other commands, above all `down`, must work when the sources do not build.
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
  case $1 in test | jest) "$HERE/rabbitmq.sh" ;; esac
  cd "$ROOT" && exec pnpm --silent "$@"
  ;;
# bench/dist/<program>.js works with both runtimes, because it needs only the port of the fleet.
bench)
  program=$2
  shift 2
  [ -f "$ROOT/bench/dist/$program.js" ] || "$HERE/bootstrap.sh"
  # Only this program needs the packages of the peers.
  [ "$program" != peers ] || (cd "$ROOT/bench/peers" && CI=true pnpm --silent install --frozen-lockfile) ||
    die "The peers could not be installed: see above."
  # The other programs get no options of Node, because the bench's child processes would inherit them.
  [ "$program" != flame ] || exec node --experimental-websocket "$ROOT/bench/dist/flame.js" "$@"
  exec node "$ROOT/bench/dist/$program.js" "$@"
  ;;
render)
  "$HERE/bootstrap.sh"
  exec node "$ROOT/deploy/render/dist/render.js"
  ;;
# Chaos kills processes of the local runtime; it cannot reach those in containers.
chaos)
  shift
  [ "$(runtime)" = local ] || die "make chaos kills the processes of the local runtime: TPS_RUNTIME=local make up, then again."
  [ -f "$ROOT/tests/dist/chaos.js" ] || "$HERE/bootstrap.sh"
  exec node "$ROOT/tests/dist/chaos.js" "$@"
  ;;
'') die "usage: $0 <command>" ;;
*)
  chosen=$(runtime)
  [ "$chosen" = local ] || exec "$ROOT/deploy/compose/run.sh" "$@"
  in_local "$@"
  ;;
esac
