#!/bin/sh
# Prints the plain manifests of k8s/: the chart with its own values, in the namespace tps. The dependency is left out, so that
# nothing needs to be fetched: k8s/ expects NATS at nats://nats:4222.
#   render.sh [helm template options]
set -eu

CHART=$(cd "$(dirname "$0")" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

cp -RL "$CHART" "$WORK/tps"
rm -rf "$WORK/tps/charts" "$WORK/tps/Chart.lock"
sed -i.bak '/^dependencies:/,$d' "$WORK/tps/Chart.yaml"
rm "$WORK/tps/Chart.yaml.bak"
echo '# Rendered from deploy/chart by `make k8s`: to change it, change the chart.'
helm template tps "$WORK/tps" --namespace tps --skip-tests "$@"
