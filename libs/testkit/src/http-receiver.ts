import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Whoever is called from outside the fleet, such as a webhook: keeps what comes, and answers as a test wants. */
export class HttpReceiver {
  readonly received: Received[] = [];
  /** The status that a request is answered with. */
  answer: (request: Received) => number | Promise<number> = () => 200;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<HttpReceiver> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url: path = '/', headers } = request;
        const received = { path, headers, body: Buffer.concat(chunks).toString() };
        receiver.received.push(received);
        void Promise.resolve(receiver.answer(received)).then((status) => response.writeHead(status).end());
      });
    });
    const receiver = new HttpReceiver(server);
    await new Promise<void>((resolve) => server.listen(0, resolve));
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
