import type { ServiceName } from '@tps/contracts/fleet';
import { boardSuffix } from './board-line';
import { START_ORDER } from './plan';
import { probe } from './probe';
import { type Readiness, probeAll } from './readiness';
import type { Settings } from './settings';
import { runningState } from './state';

/** Docker Compose runs these; here they are shown when somebody runs them beside the fleet. */
const OBSERVERS = {
  Prometheus: 'http://127.0.0.1:9091/-/ready',
  Grafana: 'http://127.0.0.1:3000/api/health',
  Jaeger: 'http://127.0.0.1:16686/',
} as const;

const UP = '✓ UP';
const DOWN = '✗ DOWN';
const ABSENT = '– not running (optional)';

/**
 * Prints a line for each part, and beside the first one what the board shows if it is not GREEN.
 * @returns whether every required part is ready. A RED board does not count: it is about the work, and starting or
 * restarting processes does not mend it.
 */
export async function health({ paths }: Settings, print: (line: string) => void): Promise<boolean> {
  const state = runningState(paths);
  const [parts, board] = await Promise.all([
    state === undefined ? [] : probeAll(state),
    boardSuffix(state?.api),
  ]);
  const isRunning = state !== undefined;
  const required = (service: string): string => summary(parts, service, isRunning);

  print(`TPS System: ${required('gateway')}${board}`);
  for (const line of await Promise.all(Object.entries(OBSERVERS).map(observerLine))) print(line);
  print(`NATS: ${required('nats')}`);
  print(`RabbitMQ: ${isRunning ? summary(parts, 'rabbitmq', true) : ABSENT}`);
  for (const service of START_ORDER) print(`${service}: ${required(service)}${replicas(parts, service)}`);
  for (const { name, result } of parts.filter((candidate) => !candidate.result.ok)) {
    print(`  ${name}: ${result.detail}`);
  }
  if (!isRunning) print('The fleet is not running: start it with `make up`.');
  return isRunning && state.phase === 'running' && parts.every(({ result }) => result.ok);
}

async function observerLine([name, url]: [string, string]): Promise<string> {
  const { answered } = await probe({ kind: 'http', url });
  return `${name}: ${answered ? UP : ABSENT}`;
}

function summary(parts: readonly Readiness[], service: string, isRunning: boolean): string {
  const mine = parts.filter((part) => part.service === service);
  if (isRunning && mine.length === 0) return ABSENT;
  const isUp = mine.length > 0 && mine.every(({ result }) => result.ok);
  return isUp ? UP : DOWN;
}

function replicas(parts: readonly Readiness[], service: ServiceName): string {
  const mine = parts.filter((part) => part.service === service);
  return mine.length === 0
    ? ''
    : ` (${mine.filter(({ result }) => result.ok).length} of ${mine.length} ready)`;
}
