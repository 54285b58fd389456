#!/bin/sh
# The Makefile's targets over Docker Compose, 1.29 or 2.
set -eu

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
FLEET='jidoka kanban worker andon kaizen heijunka'
START_LIMIT_S=180

cd "$ROOT"

die() { printf '%s\n' "$*" >&2; exit 1; }

# Like compose itself: the environment, then .env, then the default.
setting() {
  eval "value=\${$1:-}"
  [ -n "$value" ] || [ ! -f .env ] || value=$(from_file "$1")
  printf '%s\n' "${value:-$2}"
}

# The last value of a variable in .env, by compose's rules for quotes, comments, `export`, CRLF and byte order marks.
# References to other variables and values of several lines stay as they are written.
from_file() {
  LC_ALL=C awk -v name="$1" -v single="'" '
    NR == 1 { sub(/^\357\273\277/, "") }
    { sub(/\r$/, ""); sub(/^[ \t]*(export[ \t]+)?/, "") }
    index($0, name) != 1 { next }
    { text = substr($0, length(name) + 1) }
    text !~ /^[ \t]*[=:]/ { next }
    {
      sub(/^[ \t]*[=:][ \t]*/, "", text)
      quote = substr(text, 1, 1)
      if (quote == "\"" || quote == single) value = quoted(text, quote)
      else { sub(/ #.*/, "", text); sub(/[ \t]+$/, "", text); value = text }
    }
    END { print value }
    function quoted(text, quote,    inside, char, i) {
      for (i = 2; i <= length(text); i += 1) {
        char = substr(text, i, 1)
        if (char == quote) break
        if (char == "\\" && substr(text, i + 1, 1) == quote) { i += 1; char = quote }
        inside = inside char
      }
      return inside
    }' .env
}

if docker compose version >/dev/null 2>&1; then COMPOSE='docker compose'; else COMPOSE=docker-compose; fi
# Everything, as in the guide; COMPOSE_PROFILES=core leaves out what only watches.
COMPOSE_PROFILES=$(setting COMPOSE_PROFILES observability)
export COMPOSE_PROFILES
# The board links to traces where the stack's Jaeger runs; elsewhere only to what was named.
case ,$COMPOSE_PROFILES, in
*,observability,* | *,traces,*) TPS_TRACES_URL=$(setting TPS_TRACES_URL http://localhost:16686) && export TPS_TRACES_URL ;;
esac
[ "$(setting METRICS_PORT 9090)" != disabled ] ||
  die "METRICS_PORT=disabled: containers are watched by that port. Leave it unset; only this machine can reach it."

# Names misspelt variables as the local runtime does, without Node: containers get only the variables that compose passes
# on, so that no service sees a misspelt one. The names are those that deploy/local knows.
name_unknown() {
  { env; [ ! -f .env ] || cat .env; } | awk -v names=deploy/local/src/known-variables.ts '
    BEGIN {
      while ((getline line < names) > 0)
        if (match(line, /TPS_[A-Z_]+/) && line ~ /^  .TPS_[A-Z_]+.,$/) known[substr(line, RSTART, RLENGTH)]
    }
    { sub(/^[ \t]*(export[ \t]+)?/, "") }
    !match($0, /^TPS_[A-Za-z0-9_]+[ \t]*[=:]/) { next }
    {
      match($0, /^TPS_[A-Za-z0-9_]+/)
      name = stem = substr($0, 1, RLENGTH)
      sub(/_FILE$/, "", stem)
      if (name in known || stem in known || name ~ /^TPS_REPLICAS_/ || told[name]++) next
      least = 1000
      for (each in known) if ((steps = distance(name, each)) < least) { least = steps; nearest = each }
      print name " is no variable of the fleet. The nearest one is " nearest "."
    }
    function distance(from, to,    d, i, j, least) {
      for (i = 0; i <= length(from); i += 1) d[i, 0] = i
      for (j = 0; j <= length(to); j += 1) d[0, j] = j
      for (i = 1; i <= length(from); i += 1)
        for (j = 1; j <= length(to); j += 1) {
          least = d[i - 1, j - 1] + (substr(from, i, 1) != substr(to, j, 1))
          if (d[i - 1, j] + 1 < least) least = d[i - 1, j] + 1
          if (d[i, j - 1] + 1 < least) least = d[i, j - 1] + 1
          d[i, j] = least
        }
      return d[length(from), length(to)]
    }'
}

# Stops containers of every profile, whichever they were started with.
all_profiles() { COMPOSE_PROFILES=observability $COMPOSE "$@"; }

# All services are of one image: built for one of them, it is there for all.
build() { $COMPOSE build prepare; }

up() {
  name_unknown
  build
  $COMPOSE up -d --no-build "$@"
  wait_until_ready
  echo "The fleet is up: $(api)/ (make health, make logs, make down)"
}

# "<service> <state>" for each container of the project; the state is the health where there is a check.
states() {
  ids=$(all_profiles ps -q) && [ -n "$ids" ] || return 0
  # shellcheck disable=SC2086 -- one word for each container
  docker inspect --format \
    '{{index .Config.Labels "com.docker.compose.service"}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}} {{.State.ExitCode}}' \
    $ids
}

unready() { states | awk '$2 != "healthy" && $2 != "running" && !($2 == "exited" && $3 == 0) { print "  " $1 ": " $2 }'; }

wait_until_ready() {
  deadline=$(($(date +%s) + START_LIMIT_S))
  while waiting=$(unready) && [ -n "$waiting" ]; do
    [ "$(date +%s)" -lt "$deadline" ] ||
      die "Not ready after $START_LIMIT_S s (make logs shows why):
$waiting"
    sleep 1
  done
}

health() {
  found=$(states)
  failed=0
  line 'TPS System' tps-system required "$(board)"
  line Prometheus prometheus optional
  line Grafana grafana optional
  line Jaeger jaeger optional
  line NATS nats required
  line RabbitMQ rabbitmq required
  for service in $FLEET; do line "$service" "$service" required; done
  return "$failed"
}

# What the board shows, beside "UP"; nothing while it is GREEN. It does not count for the exit code: it is about the work.
board() {
  answer=$(curl -sk -m 5 "$(api)/health") || return 0
  summary=$(printf '%s' "$answer" | sed -n 's/.*"summary":"\(\([^"\\]\|\\.\)*\)".*/\1/p' | sed 's/\\\(.\)/\1/g')
  case $summary in
  '') echo '; board unknown: andon does not answer' ;;
  GREEN) ;;
  *) echo "; board $summary" ;;
  esac
}

# line <shown> <service> required|optional [what stands beside UP]
line() {
  mine=$(printf '%s\n' "$found" | awk -v name="$2" '$1 == name { n += 1; up += $2 == "healthy" || $2 == "running" } END { if (n) print up " of " n }')
  case $mine in
  '') if [ "$3" = optional ]; then echo "$1: – not running (optional)"; else echo "$1: ✗ DOWN"; failed=1; fi ;;
  *) if [ "${mine% of *}" = "${mine#* of }" ]; then echo "$1: ✓ UP${4:-}"; else echo "$1: ✗ DOWN ($mine ready)"; failed=1; fi ;;
  esac
}

# Where the API is. Its certificate is for the name that clients use, not for localhost: this is a look at this machine's own.
api() { echo "$([ "$(setting SSL_ENABLED false)" = true ] && echo https || echo http)://localhost:$(setting HTTP_PORT 8080)"; }

# The first of `[client:]token,...`; given to curl by its standard input, as arguments can be read by everyone.
show() {
  token=$(setting AUTH_TOKEN '')
  token=${token%%,*}
  token=${token#*:}
  answer=$(printf '%s' "${token:+header = \"Authorization: Bearer $token\"}" |
    curl -fsSk -m 5 -K - "$(api)/$1") || die "Nothing to show: $(api)/$1 did not answer, or refused (above). make health shows what is down."
  printf '%s\n' "$answer" | if command -v jq >/dev/null; then jq .; else cat; fi
}

dashboard() {
  echo "Grafana: http://localhost:3000, user admin, password $(
    $COMPOSE exec -T grafana cat /run/secrets/grafana-admin-password 2>/dev/null || echo 'made at its first start (it does not run)'
  )"
}

case $1 in
up) up ;;
down) all_profiles down ;;
clean) all_profiles down --volumes --remove-orphans ;;
restart) up --force-recreate ;;
health) health ;;
status | info | metrics) show "$1" ;;
logs) shift; exec $COMPOSE logs -f --tail 50 "$@" ;;
# shellcheck disable=SC2046
profile) exec docker stats $(all_profiles ps -q) ;;
run-local) build; exec $COMPOSE up --no-build ;;
build) build ;;
dashboard) dashboard ;;
traces) echo 'Jaeger: http://localhost:16686 (service tps-system, operation process_signal)' ;;
*) die "unknown command: $1" ;;
esac
