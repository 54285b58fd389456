import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** An HTTP server outside the fleet, such as the receiver of a webhook. It keeps every request for the test to read. */
export class HttpReceiver {
  /** All requests so far, in the order of their arrival. */
  readonly received: Received[] = [];
  /** Chooses the status of an answer; a pending promise delays the answer. Default: 200 at once. */
  answer: (request: Received) => number | Promise<number> = () => 200;

  private constructor(private readonly server: Server) {}

  /** Listens on a free port of every interface. */
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

  /** The port that it listens on. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Closes the port and every connection. */
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
