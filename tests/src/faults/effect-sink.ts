import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where the signals of a test have their effect: counts how often each was delivered by its key. */
export class EffectSink {
  readonly effects = new Map<string, number>();
  /** How long it takes over each. */
  delayMs = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<EffectSink> {
    const server = createServer((request, response) => {
      void readAll(request).then((body) => {
        const { key } = JSON.parse(body) as { key: string };
        sink.effects.set(key, (sink.effects.get(key) ?? 0) + 1);
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
