import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from './errors';
import type { CpuProfile } from './cpu-profile';

/** The address of Node's inspector after SIGUSR1. A running process cannot be told another port. */
const LIST_URL = 'http://127.0.0.1:9229/json/list';
const OPEN_LIMIT_MS = 3_000;
const PROBE_EVERY_MS = 50;
/** Delay until our own connection has ended, because closing the inspector waits for all connections. */
const CLOSE_AFTER_MS = 300;
const ANSWER_LIMIT_MS = 30_000;

/** The used part of the standard WebSocket. Node 20 has it behind a flag, and its types lack it. */
interface Socket {
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  send(text: string): void;
  close(): void;
}

interface Reply {
  id?: number;
  error?: { message: string };
  result?: unknown;
}

/** The inspector of another running Node process. */
export class Inspector {
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private next = 1;

  private constructor(private readonly socket: Socket) {
    socket.onmessage = ({ data }) => {
      const reply = JSON.parse(data) as Reply;
      if (reply.id === undefined) return;
      this.waiting.get(reply.id)?.(reply);
      this.waiting.delete(reply.id);
    };
  }

  /** Opens the process's inspector and connects to it. */
  static async open(pid: number): Promise<Inspector> {
    if (await webSocketUrl()) {
      throw new BenchError('Port 9229 is taken by another inspector, and a second one cannot be opened.');
    }
    process.kill(pid, 'SIGUSR1');
    const url = await openedUrl(pid);
    const inspector = new Inspector(await connectTo(url));
    const found = await inspector.evaluate('process.pid');
    if (found !== pid) throw new BenchError(`Port 9229 is the inspector of process ${String(found)}.`);
    return inspector;
  }

  /** @param meanwhile runs while samples are taken */
  async cpuProfile(meanwhile: () => Promise<void>): Promise<CpuProfile> {
    await this.command('Profiler.enable');
    await this.command('Profiler.setSamplingInterval', { interval: 500 });
    await this.command('Profiler.start');
    await meanwhile();
    return ((await this.command('Profiler.stop')) as { profile: CpuProfile }).profile;
  }

  /** Closes the inspector of the process and the connection to it. */
  async close(): Promise<void> {
    const close = `process.getBuiltinModule?.('inspector') ?? process.mainModule.require('inspector')`;
    await this.evaluate(`void setTimeout(() => (${close}).close(), ${CLOSE_AFTER_MS})`);
    this.socket.close();
  }

  private async evaluate(expression: string): Promise<unknown> {
    const { result } = (await this.command('Runtime.evaluate', { expression, returnByValue: true })) as {
      result: { value?: unknown };
    };
    return result.value;
  }

  private command(method: string, params: object = {}): Promise<unknown> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new BenchError(`The inspector did not answer ${method}.`)),
        ANSWER_LIMIT_MS,
      );
      this.waiting.set(id, ({ error, result }) => {
        clearTimeout(limit);
        if (error) reject(new BenchError(`${method}: ${error.message}`));
        else resolve(result);
      });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

async function openedUrl(pid: number): Promise<string> {
  const endMs = performance.now() + OPEN_LIMIT_MS;
  for (;;) {
    const url = await webSocketUrl();
    if (url) return url;
    if (performance.now() > endMs) throw new BenchError(`The inspector of process ${pid} did not open.`);
    await sleep(PROBE_EVERY_MS);
  }
}

async function webSocketUrl(): Promise<string | null> {
  try {
    const response = await fetch(LIST_URL, { signal: AbortSignal.timeout(1_000) });
    const [target] = (await response.json()) as { webSocketDebuggerUrl?: string }[];
    return target?.webSocketDebuggerUrl ?? null;
  } catch {
    return null;
  }
}

function connectTo(url: string): Promise<Socket> {
  const { WebSocket } = globalThis as unknown as { WebSocket?: new (url: string) => Socket };
  if (!WebSocket) throw new BenchError('Node 20 needs the option --experimental-websocket for a profile.');
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new BenchError(`The inspector at ${url} refused the connection.`));
  });
}
