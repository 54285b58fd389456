import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '@tps/testkit';
import { Child } from '../child';
import { bareEnvironment } from '../settings';
import { type System, untilServing } from '../system';
import type { Teardown } from '../teardown';
import { assertComplete, LocalRuntime } from './local-runtime';

/** Slots of the bench's worker: enough not to limit 64 callers. */
export const SLOTS = 64;

/** The most gateways a fleet may have, on consecutive ports. */
const GATEWAYS = 2;
/** The ports before the gateway's: its metrics, the broker's two and the bench worker's. One per other process follows. */
const HTTP = 4;
const PORTS = HTTP + GATEWAYS + 14;

export interface Fleet extends System {
  /** Bytes of traces exported so far. */
  tracedBytes: () => Promise<number>;
  /** The folder of its data, logs and state. */
  home: string;
  natsUrl: string;
}

/**
 * Starts a fleet that traces every signal, and the bench's worker with a no-op handler. The worker is one process more
 * than the fleet needs, like that of a user with own handlers. The fleet has no RabbitMQ, because the floor has no second
 * broker either.
 * @param request a request that must succeed before the fleet counts as started
 * @param variables replace those of the comparison
 */
export async function startFleet(
  request: Buffer,
  teardown: Teardown,
  variables: Record<string, string> = {},
): Promise<Fleet> {
  const home = await mkdtemp(join(tmpdir(), 'tps-bench-'));
  teardown.add(() => rm(home, { recursive: true, force: true }));
  const sink = new Child('trace sink', join(__dirname, 'trace-sink.js'));
  teardown.add(() => sink.stop());
  const sinkUrl = `http://127.0.0.1:${String(await sink.firstMessage())}/v1/traces`;

  const [firstPort = 0] = await freePorts(PORTS);
  const fixed = environment(firstPort, sinkUrl);
  const env = { ...fixed, ...variables, NATS_URL: fixed.NATS_URL, TPS_HOME: home };
  const port = firstPort + HTTP;
  const runtime = new LocalRuntime(env);
  teardown.add(() => runtime.command('down'));
  // The worker waits for the broker.
  const worker = startWorker(env, firstPort);
  teardown.add(() => worker.stop());
  await runtime.command('up');
  await untilServing('fleet', port, request);
  const processes = [...runtime.processes(), worker];
  assertComplete(processes);
  return {
    name: 'fleet',
    port,
    processes,
    tracedBytes: () => tracedBytes(sinkUrl),
    home,
    natsUrl: env.NATS_URL,
  };
}

/** Sets every variable that a shell or `.env` could set otherwise, some to nothing. */
function environment(firstPort: number, sinkUrl: string): Record<string, string> & { NATS_URL: string } {
  return {
    ...bareEnvironment(),
    NODE_ENV: 'production',
    METRICS_PORT: String(firstPort),
    NATS_URL: `nats://127.0.0.1:${firstPort + 1}`,
    TPS_NATS_MONITOR_PORT: String(firstPort + 2),
    // firstPort + 3 is the bench's worker
    HTTP_PORT: String(firstPort + HTTP),
    TPS_METRICS_BASE_PORT: String(firstPort + HTTP + GATEWAYS),
    TPS_HEIJUNKA_POOL: '1',
    TPS_RABBITMQ: 'off',
    RABBITMQ_URL: '',
    JAEGER_ENDPOINT: sinkUrl,
    TPS_TRACE_SAMPLE: '1',
    LOG_LEVEL: 'info',
    AUTH_TOKEN: '',
    RATE_LIMIT: '',
    TPS_KANBAN_BUFFER: '',
    TPS_CHAOS: '',
  };
}

function startWorker(env: Record<string, string>, firstPort: number): Child {
  return new Child('bench-worker', join(__dirname, 'noop-worker.js'), {
    env: {
      ...env,
      INSTANCE_ID: 'bench-worker',
      METRICS_PORT: String(firstPort + 3),
      TPS_NUM_WORKERS: String(SLOTS),
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // The local runtime starts the fleet's own processes with the same option.
    execArgv: ['--min-semi-space-size=8', '--max-semi-space-size=8'],
  });
}

async function tracedBytes(sinkUrl: string): Promise<number> {
  const response = await fetch(sinkUrl, { signal: AbortSignal.timeout(2_000) });
  return ((await response.json()) as { bytes: number }).bytes;
}
