import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '@tps/testkit';
import { Child } from '../child';
import { bareEnvironment } from '../settings';
import { type System, untilServing } from '../system';
import type { Teardown } from '../teardown';
import { assertWhole, LocalRuntime } from './local-runtime';

/** Signals the fleet's worker works on at once: not to be what limits 64 callers. */
export const SLOTS = 64;

/** Gateways that may be asked for; each has the next port. */
const GATEWAYS = 2;
/** Before it: the gateway's metrics, the broker's two and the worker's. Behind it: one for each other process. */
const HTTP = 4;
const PORTS = HTTP + GATEWAYS + 14;

export interface Fleet extends System {
  /** Bytes of traces that were exported so far. */
  tracedBytes: () => Promise<number>;
}

/**
 * Starts a fleet of its own, every signal traced, and beside it the bench's worker, with a handler that does nothing:
 * one process more than the fleet needs, as every user with handlers of their own has it. Without RabbitMQ, as the
 * floor has no second broker either.
 * @param request what it must be able to serve
 * @param variables that differ from those of the comparison
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
  const env = { ...environment(firstPort, sinkUrl), ...variables, TPS_HOME: home };
  const port = firstPort + HTTP;
  const runtime = new LocalRuntime(env);
  teardown.add(() => runtime.command('down'));
  // It waits for the broker by itself.
  const worker = startWorker(env, firstPort);
  teardown.add(() => worker.stop());
  await runtime.command('up');
  await untilServing('fleet', port, request);
  const processes = [...runtime.processes(), worker];
  assertWhole(processes);
  return { name: 'fleet', port, processes, tracedBytes: () => tracedBytes(sinkUrl) };
}

/** Whatever a shell or `.env` would configure otherwise is set here, if only to nothing. */
function environment(firstPort: number, sinkUrl: string): Record<string, string> {
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
    // As the local runtime starts the fleet's own.
    execArgv: ['--min-semi-space-size=8'],
  });
}

async function tracedBytes(sinkUrl: string): Promise<number> {
  const response = await fetch(sinkUrl, { signal: AbortSignal.timeout(2_000) });
  return ((await response.json()) as { bytes: number }).bytes;
}
