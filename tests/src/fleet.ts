import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts, waitFor } from '@tps/testkit';

const ROOT = resolve(__dirname, '../..');
/** Replicas of the gateway that a test may start; each has the next port. */
const GATEWAYS = 4;
/** The broker's two, the gateway's metrics, the gateways', and one for each other process. */
const PORTS = 3 + GATEWAYS + 20;

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

export interface SignalAnswer {
  success: boolean | null;
  status: string;
  signal_id: string;
  message: string;
  trace_id: string;
  duration_ms: number;
  result?: unknown;
  code?: string;
}

interface State {
  parts: { name: string; pid: number | null; ready?: boolean }[];
}

/** A whole fleet from built code, started by the local runtime as a user would, on ports and with data of its own. */
export class Fleet {
  private constructor(
    private readonly root: string,
    readonly home: string,
    readonly url: string,
    /** For commands that are to reach this fleet and no other. */
    readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** @param root the built tree whose fleet is started; by default this one */
  static async start(variables: Record<string, string> = {}, root = ROOT): Promise<Fleet> {
    const [nats, monitor, metrics, http = 0] = await freePorts(PORTS);
    const home = await mkdtemp(join(tmpdir(), 'tps-fleet-'));
    const env = {
      ...process.env,
      TPS_HOME: home,
      NATS_URL: `nats://127.0.0.1:${nats}`,
      TPS_NATS_MONITOR_PORT: String(monitor),
      HTTP_PORT: String(http),
      METRICS_PORT: String(metrics),
      TPS_METRICS_BASE_PORT: String(http + GATEWAYS),
      TPS_RABBITMQ: 'off',
      TPS_CHAOS: '1',
      ...variables,
    };
    const fleet = new Fleet(root, home, `http://127.0.0.1:${http}`, env);
    try {
      await fleet.run('up');
    } catch (error) {
      // The error of the start matters more than one of the clean-up.
      await fleet.stop().catch(() => undefined);
      throw error;
    }
    return fleet;
  }

  async stop(): Promise<void> {
    try {
      await this.run('down');
    } finally {
      await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /** Runs a command of the local runtime; fails with what it printed. */
  run(command: string): Promise<string> {
    return new Promise((done, reject) => {
      const child = spawn(process.execPath, [join(this.root, 'deploy/local/dist/cli.js'), command], {
        env: this.environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.on('error', reject);
      child.on('exit', (code) =>
        code === 0 ? done(output) : reject(new Error(`${command} ended with ${code}:\n${output}`)),
      );
    });
  }

  /** Process id of a part, such as `worker-1`. */
  async pid(name: string): Promise<number> {
    const state = JSON.parse(await readFile(join(this.home, 'run/state.json'), 'utf8')) as State;
    const pid = state.parts.find((part) => part.name === name)?.pid;
    if (!pid) throw new Error(`${name} does not run: ${JSON.stringify(state)}`);
    return pid;
  }

  /** Ends a part by SIGKILL, and the local runtime starts it again; SIGSTOP leaves it hanging until SIGCONT. */
  async kill(name: string, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
    process.kill(await this.pid(name), signal);
  }

  /** Everything that its processes wrote. */
  async logs(): Promise<string> {
    const folder = join(this.home, 'logs');
    const files = await readdir(folder);
    return (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join('');
  }

  async get<T = Record<string, unknown>>(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return answerOf<T>(await fetch(this.url + path, { headers, signal: AbortSignal.timeout(15_000) }));
  }

  remove<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.call<T>('DELETE', path);
  }

  /** Any request; with a body it is JSON. */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const json = body && { body: JSON.stringify(body) };
    const type: Record<string, string> = body ? { 'content-type': 'application/json' } : {};
    const request = { method, headers: { ...type, ...headers }, ...json };
    return answerOf<T>(await fetch(this.url + path, { ...request, signal: AbortSignal.timeout(60_000) }));
  }

  async post(
    signal_type: string,
    payload: object,
    options: { headers?: Record<string, string>; priority?: number; timeout_ms?: number } = {},
  ): Promise<Answer<SignalAnswer>> {
    const { headers = {}, ...rest } = options;
    return this.call<SignalAnswer>('POST', '/signal', { signal_type, payload, ...rest }, headers);
  }

  /** Accepts a signal without waiting for it. */
  async send(signal_type: string, payload: object, headers: Record<string, string> = {}): Promise<string> {
    const answer = await this.post(signal_type, payload, {
      headers: { prefer: 'respond-async', ...headers },
    });
    if (answer.status !== 202)
      throw new Error(`not accepted: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body.signal_id;
  }

  async healthy(limitMs = 20_000): Promise<void> {
    await waitFor('the fleet to be healthy', async () => (await this.get('/health')).body.healthy === true, {
      limitMs,
    });
  }
}

async function answerOf<T>(response: Response): Promise<Answer<T>> {
  const text = await response.text();
  const json = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: (json ? JSON.parse(text) : text) as T };
}
