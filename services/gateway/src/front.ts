import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { MAX_BODY_BYTES } from '@tps/contracts';
import type { Access } from './access';

const LIMITS = {
  headersTimeout: 10_000,
  /** Until the request is complete; how long its answer takes is not limited here. */
  requestTimeout: 15_000,
  /** Longer than a load balancer keeps idle connections, so that it never writes into one that closes. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
};
const POST_SIGNAL = /^\/signal\/?(\?|$)/;
const IDLE_CHECK_MS = 50;

/** Everything that comes in: who may not is refused, `POST /signal` goes the short way, the rest to express. */
export function createFront(
  access: Access,
  postSignal: (req: IncomingMessage, res: ServerResponse, client: string) => void,
  app: RequestListener,
): RequestListener {
  return (req, res) => {
    const hot = req.method === 'POST' && POST_SIGNAL.test(req.url ?? '');
    access.check(req, res, (client) => (hot ? postSignal(req, res, client) : app(req, res)));
  };
}

export async function listen(front: RequestListener, port: number): Promise<Server> {
  const server = createServer(LIMITS, front);
  // A client that asks before it sends a large body is told at once, and does not send it.
  server.on('checkContinue', (req, res) => {
    if (!(Number(req.headers['content-length']) > MAX_BODY_BYTES)) res.writeContinue();
    front(req, res);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return server;
}

/**
 * Takes no more connections and lets requests under way finish; when the limit has passed, `giveUp` makes those that
 * wait answer with what they know.
 */
export async function shut(server: Server, limitMs: number, giveUp: () => void): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection turns idle when its last answer is written, and a client could keep it open for a minute.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  const late = setTimeout(giveUp, limitMs);
  const last = setTimeout(() => server.closeAllConnections(), limitMs + 1_000);
  server.closeIdleConnections();
  await closed;
  clearInterval(idle);
  clearTimeout(late);
  clearTimeout(last);
}
