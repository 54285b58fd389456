import { SERVICES } from '@tps/contracts/fleet';

/** The variables of the services that begin with TPS_. `make render` writes the list from their configurations. */
const OF_SERVICES: readonly string[] = [
  // variables: written by `make render`
  'TPS_ANDON_CALL_AFTER_MS',
  'TPS_ANDON_HISTORY',
  'TPS_ANDON_RESPOND_MS',
  'TPS_ANDON_WEBHOOK_URL',
  'TPS_BIND',
  'TPS_CB_ERROR_PERCENT',
  'TPS_CB_SLOW_MS',
  'TPS_CB_THRESHOLD',
  'TPS_CB_TIMEOUT',
  'TPS_CHAOS',
  'TPS_HEIJUNKA_POOL',
  'TPS_HTTP_ALLOWLIST',
  'TPS_KANBAN_BUFFER',
  'TPS_LEASE_MS',
  'TPS_LIVENESS_FILE',
  'TPS_MAX_ATTEMPTS',
  'TPS_NATS_REPLICAS',
  'TPS_NUM_WORKERS',
  'TPS_OUTCOMES_MAX_AGE',
  'TPS_OUTCOMES_MAX_BYTES',
  'TPS_RECORDS_DIR',
  'TPS_STREAM_PREFIX',
  'TPS_TRACES_URL',
  'TPS_TRACE_SAMPLE',
  // end of variables
];

/** The variables of the local runtime, of the compose stack and of the Makefile. */
const OF_RUNTIMES: readonly string[] = [
  'TPS_FAULTS',
  'TPS_HOME',
  'TPS_METRICS_BASE_PORT',
  'TPS_NATS_BIND',
  'TPS_NATS_MONITOR_PORT',
  'TPS_RABBITMQ',
  'TPS_ROOT',
  'TPS_RUNTIME',
  'TPS_VERSION',
];

const KNOWN: readonly string[] = [
  ...OF_SERVICES,
  ...OF_RUNTIMES,
  ...SERVICES.map((service) => `TPS_REPLICAS_${service.toUpperCase()}`),
];
/** Kubernetes sets these in every pod of the namespace. */
const OF_KUBERNETES = /^TPS_\w+_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_\w+)?)$/;

/** One line for each variable that begins with TPS_ and that no part of the fleet reads. Pure. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const names = Object.keys(env).filter((name) => name.startsWith('TPS_') && env[name] !== undefined);
  return names
    .filter((name) => !KNOWN.includes(name.replace(/_FILE$/, '')) && !KNOWN.includes(name))
    .filter((name) => !OF_KUBERNETES.test(name))
    .sort()
    .map((name) => `${name} is no variable of the fleet. The nearest one is ${nearest(name)}.`);
}

function nearest(name: string): string {
  const ranked = KNOWN.map((known) => ({ known, steps: distance(name, known) }));
  return ranked.reduce((best, each) => (each.steps < best.steps ? each : best)).known;
}

/** Levenshtein's distance: how many letters have to be added, removed or replaced. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = row[j - 1]! + Number(from[i - 1] !== to[j - 1]);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
