#!/bin/sh
# Makes this checkout ready to run: node, pnpm, nats-server, dependencies, build.
# Installs nothing globally: missing tools go to .tps/tools. Returns at once when nothing is missing.
set -eu

ROOT=${TPS_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
TOOLS=$ROOT/.tps/tools
LOCK=$ROOT/.tps/bootstrap.lock
INSTALLED=$ROOT/.tps/installed.stamp
BUILT=$ROOT/.tps/built.stamp

NODE_MIN=20.12
NATS_VERSION=2.14.5

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

check_node() {
  version=$(node --version 2>/dev/null) || die "Node.js is missing: install version $NODE_MIN or newer (https://nodejs.org)."
  version=${version#v}
  major=${version%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  [ "$major" -gt "${NODE_MIN%.*}" ] || { [ "$major" -eq "${NODE_MIN%.*}" ] && [ "$minor" -ge "${NODE_MIN#*.}" ]; } ||
    die "Node.js is $version: version $NODE_MIN or newer is needed."
}

# --- pnpm -------------------------------------------------------------------------------------------

pinned_pnpm() { sed -n 's/.*"packageManager": *"pnpm@\([0-9.]*\).*/\1/p' "$ROOT/package.json"; }

# Asking pnpm for its version takes half a second, so the answer is kept with the path of that pnpm.
have_pnpm() {
  found=$(command -v pnpm) && [ "$(cat "$TOOLS/pnpm.checked" 2>/dev/null)" = "$(pinned_pnpm) $found" ]
}

ensure_pnpm() {
  have_pnpm && return
  pinned=$(pinned_pnpm)
  version=$(cd / && pnpm --version 2>/dev/null) || version=none
  if [ "${version%%.*}" != "${pinned%%.*}" ]; then
    say "Installing pnpm $pinned into .tps/tools (found: $version) ..."
    npm install --silent --no-audit --no-fund --prefix "$TOOLS/pnpm" "pnpm@$pinned" ||
      die "pnpm $pinned could not be installed: see above, or install it yourself (npm install -g pnpm@$pinned)."
  fi
  mkdir -p "$TOOLS"
  printf '%s %s\n' "$pinned" "$(command -v pnpm)" >"$TOOLS/pnpm.checked"
}

# --- nats-server ------------------------------------------------------------------------------------

have_nats() { [ -x "$TOOLS/nats-server/nats-server" ] || command -v nats-server >/dev/null 2>&1; }

ensure_nats() {
  have_nats && return
  mkdir -p "$TOOLS/nats-server"
  nats_from_release || nats_from_debian || say_nats_is_missing
}

# SHA-256 of the official archives: https://github.com/nats-io/nats-server/releases/tag/v2.14.5
nats_checksum() {
  case $1 in
  linux-amd64) echo 5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355 ;;
  linux-arm64) echo 673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c ;;
  darwin-amd64) echo f95c98d6b6ed2b63c5681b46b092c9585c99767d547cf495730c329234625e96 ;;
  darwin-arm64) echo ddd907854d9a2de834af133fa396915fe6442fe6d8909ae31390d1ea7a0fea50 ;;
  *) return 1 ;;
  esac
}

# Without access to the release it fails quietly within seconds, because there are other sources.
nats_from_release() {
  platform=$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
  checksum=$(nats_checksum "$platform") || return 1
  name=nats-server-v$NATS_VERSION-$platform
  archive=$TOOLS/nats-server/$name.tar.gz
  say "Fetching nats-server $NATS_VERSION ..."
  download "https://github.com/nats-io/nats-server/releases/download/v$NATS_VERSION/$name.tar.gz" "$archive" || return 1
  if [ "$(sha256 "$archive")" != "$checksum" ]; then
    rm -f "$archive"
    say "The archive $name.tar.gz is not the released one (wrong SHA-256): not used."
    return 1
  fi
  tar -xzf "$archive" -C "$TOOLS/nats-server" --strip-components 1 "$name/nats-server"
  rm -f "$archive"
}

# Uses Node, because curl may be missing. The server has 5 s to answer, and the download 120 s.
download() {
  node -e '
    const [url, file] = process.argv.slice(1);
    const connect = new AbortController();
    const timer = setTimeout(() => connect.abort(), 5_000);
    setTimeout(() => process.exit(1), 120_000).unref();
    fetch(url, { signal: connect.signal })
      .then((answer) => (clearTimeout(timer), answer.ok ? answer.arrayBuffer() : process.exit(1)))
      .then((bytes) => require("fs").writeFileSync(file, Buffer.from(bytes)))
      .catch(() => process.exit(1));
  ' "$1" "$2"
}

sha256() {
  node -p 'require("crypto").createHash("sha256").update(require("fs").readFileSync(process.argv[1])).digest("hex")' "$1"
}

# Unpacks the package without installing it: nothing is started, and root is needed only without package lists.
nats_from_debian() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  say "Fetching nats-server from the distribution ..."
  work=$(mktemp -d "$TOOLS/nats-server/deb.XXXXXX")
  # As root, apt switches to a user who may not write here; it warns, and downloads all the same.
  if (cd "$work" && download_deb) && dpkg -x "$work"/nats-server_*.deb "$work"; then
    mv "$work/usr/sbin/nats-server" "$TOOLS/nats-server/nats-server"
  fi
  rm -rf "$work"
  [ -x "$TOOLS/nats-server/nats-server" ]
}

download_deb() {
  apt-get -qq download nats-server >/dev/null 2>&1 && return
  as_root apt-get -qq -o Acquire::http::Timeout=10 update >/dev/null 2>&1 || return 1
  apt-get -qq download nats-server >/dev/null 2>&1
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

# With NATS_URL the server may run elsewhere; `up` reports it if it does not.
say_nats_is_missing() {
  [ -z "${NATS_URL:-}" ] || return 0
  die "nats-server is missing and could not be fetched. Install it:
  Debian, Ubuntu:  sudo apt-get install nats-server
  macOS:           brew install nats-server
  otherwise:       put the program from https://github.com/nats-io/nats-server/releases into
                   $TOOLS/nats-server/
or set NATS_URL to a server that runs elsewhere."
}

# --- dependencies and build -------------------------------------------------------------------------

is_installed() {
  [ -d "$ROOT/node_modules" ] && [ -f "$INSTALLED" ] && [ -z "$(find "$ROOT/pnpm-lock.yaml" -newer "$INSTALLED")" ]
}

ensure_installed() {
  is_installed && return
  say "Installing dependencies ..."
  touch "$INSTALLED.new"
  (cd "$ROOT" && CI=true pnpm install --frozen-lockfile --reporter=append-only >&2)
  mv "$INSTALLED.new" "$INSTALLED"
}

is_built() {
  [ -f "$BUILT" ] || return 1
  for manifest in "$ROOT"/services/*/package.json "$ROOT/deploy/local/package.json"; do
    [ -d "$(dirname "$manifest")/dist" ] || return 1
  done
  [ -z "$(find "$ROOT" \( -name node_modules -o -name dist -o -name '.*' ! -path "$ROOT" \) -prune -o \
    \( -name '*.ts' -o -name package.json -o -name 'tsconfig*.json' \) -newer "$BUILT" -print)" ]
}

ensure_built() {
  is_built && return
  say "Building ..."
  touch "$BUILT.new" # before the build, so that files edited meanwhile are built next time
  (cd "$ROOT" && pnpm --silent build >&2) || die "The build failed: see above."
  mv "$BUILT.new" "$BUILT"
}

# --- one at a time ----------------------------------------------------------------------------------

# Keeps concurrent makes from installing over each other. The lock of a dead process is removed.
take_lock() {
  mkdir -p "$ROOT/.tps"
  waited=0
  until mkdir "$LOCK" 2>/dev/null; do
    owner=$(cat "$LOCK/pid" 2>/dev/null) || owner=
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
      mv "$LOCK" "$LOCK.$$" 2>/dev/null && rm -rf "$LOCK.$$"
      continue
    fi
    [ "$waited" -gt 0 ] || say "Another make is preparing this checkout (process ${owner:-unknown}); waiting ..."
    waited=$((waited + 1))
    [ "$waited" -le 600 ] || die "$LOCK has been held for 10 minutes: remove it if no make is running."
    sleep 1
  done
  echo $$ >"$LOCK/pid"
  trap 'rm -rf "$LOCK"' EXIT
  trap 'exit 130' INT TERM HUP
}

PATH=$TOOLS/pnpm/node_modules/.bin:$PATH:/usr/sbin:/usr/local/sbin
# This script chooses the pnpm to run; pnpm itself would ask the registry about its pin on every install.
export pnpm_config_pm_on_fail=ignore
check_node
if have_pnpm && have_nats && is_installed && is_built; then exit 0; fi
take_lock
ensure_pnpm
ensure_nats
ensure_installed
ensure_built
