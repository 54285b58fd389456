#!/bin/sh
# Fetches RabbitMQ with its Erlang from the distribution into .tps/tools/rabbitmq, for the tests of the backup, unless it
# is installed. Unpacks the packages only: nothing is started, and root is needed only without package lists.
set -eu

ROOT=${TPS_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
HOME_DIR=$ROOT/.tps/tools/rabbitmq
# The dependencies of rabbitmq-server; the metapackages of Erlang pull in much more.
ERLANG='asn1 base crypto eldap ftp inets mnesia os-mon parsetools public-key runtime-tools snmp ssl syntax-tools tftp tools xmerl'

say() { printf '%s\n' "$*" >&2; }

[ ! -x "$HOME_DIR/usr/lib/rabbitmq/bin/rabbitmq-server" ] || exit 0
if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && command -v erl >/dev/null; then exit 0; fi

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

# As root, apt switches to a user who may not write here; it warns, and downloads all the same.
download() {
  # shellcheck disable=SC2086
  apt-get -qq download rabbitmq-server $(printf 'erlang-%s ' $ERLANG) >/dev/null 2>&1
}

fetch() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  cd "$work"
  download || { as_root apt-get -qq -o Acquire::http::Timeout=10 update >/dev/null 2>&1 && download; } || return 1
  mkdir root
  for deb in ./*.deb; do dpkg -x "$deb" root || return 1; done
  # Debian's start script knows only /usr/lib/erlang.
  sed -i 's|ROOTDIR=/usr/lib/erlang$|ROOTDIR=$(cd "$progdir/.." \&\& pwd -P)|' root/usr/lib/erlang/bin/erl
  PATH=$work/root/usr/lib/erlang/bin:$PATH erl -noshell -eval 'halt().' >/dev/null 2>&1
}

mkdir -p "$ROOT/.tps/tools"
work=$(mktemp -d "$ROOT/.tps/tools/rabbitmq.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "Fetching RabbitMQ from the distribution ..."
if (fetch); then
  rm -rf "$HOME_DIR"
  mv "$work/root" "$HOME_DIR"
else
  say "RabbitMQ could not be fetched: tests of the backup are skipped. Install it (Debian: apt-get install rabbitmq-server)."
fi
