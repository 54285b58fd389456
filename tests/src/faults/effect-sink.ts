import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where the signals of a test have their effect: counts how often each was delivered by its key. */
export class EffectSink {
  readonly effects = new Map<string, number>();
  /** The `Idempotency-Key` of each delivery: a receiver that obeys it has one effect per entry. */
  readonly ids = new Set<unknown>();
  /** How long it takes over each. */
  delayMs = 0;
  /** Called between the next effect and its answer. */
  beforeAnswer: (() => Promise<void>) | undefined;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<EffectSink> {
    const server = createServer((request, response) => {
      void readAll(request).then(async (body) => {
        const { key } = JSON.parse(body) as { key: string };
        sink.effects.set(key, (sink.effects.get(key) ?? 0) + 1);
        sink.ids.add(request.headers['idempotency-key']);
        const { beforeAnswer } = sink;
        sink.beforeAnswer = undefined;
        await beforeAnswer?.();
        response.setHeader('content-type', 'application/json');
        if (sink.delayMs > 0) setTimeout(() => response.end('{"ok":true}'), sink.delayMs);
        else response.end('{"ok":true}');
      });
    });
    const sink = new EffectSink(server);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return sink;
  }

  /** For `TPS_HTTP_ALLOWLIST`. */
  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /**
   * A signal of the type `execute` whose effect is counted here.
   * @param bytes carried along on top, for nothing
   */
  payload(key: string, bytes = 0): object {
    const ballast = bytes > 0 ? { ballast: 'x'.repeat(bytes) } : {};
    return { task: 'http', url: `http://${this.host}/`, method: 'POST', body: { key, ...ballast } };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
