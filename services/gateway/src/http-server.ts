import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type ApiErrorCode, MAX_BODY_BYTES, MAX_SYNC_TIMEOUT_MS } from '@tps/contracts';
import { type Closeable, listen, readinessAnswer } from '@tps/service';
import type { Logger } from '@tps/telemetry';
import type { Access } from './access';
import { ApiError, rawProblem, sendJson, sendProblem, traceIdOf } from './problem';
import { followCertificate, type TlsConfig, tlsOptions } from './tls';

const LIMITS: ServerOptions = {
  headersTimeout: 10_000,
  /** Until the request is complete; how long its answer takes is not limited here. */
  requestTimeout: 15_000,
  /** Longer than a load balancer keeps idle connections, so that it never writes into one that closes. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
  /** By default Node silently drops all but the first of headers such as `Authorization` and `Content-Type`. */
  joinDuplicateHeaders: true,
};
const HANDSHAKE_LIMIT_MS = 10_000;
/** A connection on which nothing moved for longer than any answer takes: its client reads nothing, or is gone. */
const SILENCE_LIMIT_MS = MAX_SYNC_TIMEOUT_MS + 60_000;
/** More are closed at once, so that connections cannot use up the process' file descriptors. */
const MAX_CONNECTIONS = 10_000;
const POST_SIGNAL = /^\/signal\/?(\?|$)/;
const IDLE_CHECK_MS = 50;
const STARTING = 'The gateway is starting and not connected to NATS yet';

/** Refuses clients that may not ask, serves `POST /signal` the short way, and hands the rest to express. */
export function createRequestListener(
  access: Access,
  postSignal: (req: IncomingMessage, res: ServerResponse, client: string) => void,
  app: RequestListener,
): RequestListener {
  return (req, res) => {
    // A proxy may ask by the whole URL; its host makes no difference here.
    if (!req.url?.startsWith('/')) req.url = pathOf(req.url ?? '');
    const hot = req.method === 'POST' && POST_SIGNAL.test(req.url);
    access.check(req, res, (client) => (hot ? postSignal(req, res, client) : app(req, res)));
  };
}

function pathOf(url: string): string {
  return url.replace(/^https?:\/\/[^/?]*/i, '') || '/';
}

/** The HTTP port. It is open before NATS answers, and says until then that the gateway is there and takes nothing yet. */
export class HttpServer implements Closeable {
  private front: RequestListener = notYet;

  private constructor(readonly server: Server) {}

  /** @throws ConfigError when the certificate or the address cannot be used */
  static async open(
    config: TlsConfig & { HTTP_PORT: number; TPS_BIND: string },
    log: Logger,
  ): Promise<HttpServer> {
    const front: RequestListener = (req, res) => httpServer.front(req, res);
    const server = createFor(front, config, log);
    const httpServer = new HttpServer(server);
    server.maxConnections = MAX_CONNECTIONS;
    // By default Node drops headers after the thousandth. Their size is limited anyway.
    server.maxHeadersCount = 0;
    server.setTimeout(SILENCE_LIMIT_MS);
    server.on('clientError', refuseBroken);
    // A client that asks before it sends a large body is told at once, and does not send it.
    server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
      if (!(Number(req.headers['content-length']) > MAX_BODY_BYTES)) res.writeContinue();
      front(req, res);
    });
    await listen(server, config.HTTP_PORT, config);
    return httpServer;
  }

  /** Serves requests from now on. */
  serve(front: RequestListener): void {
    this.front = front;
  }

  /** Closes the server of a gateway that could not start. A gateway that has served drains it first. */
  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** Which signal types there are, whether lines run and who may wait for an outcome: all of it comes over NATS. */
function notYet(req: IncomingMessage, res: ServerResponse): void {
  const path = req.url?.split('?')[0];
  if (path === '/health/live') return sendJson(res, 200, { live: true });
  if (path === '/health/ready') return sendJson(res, ...readinessAnswer([STARTING]));
  const hot = req.method === 'POST' && POST_SIGNAL.test(req.url ?? '');
  const error = hot
    ? new ApiError('NO_BROKER', `${STARTING}; this request was not accepted`, {
        members: { accepted: false },
      })
    : new ApiError('UNAVAILABLE', STARTING);
  sendProblem(req, res, error, traceIdOf(req));
}

function createFor(front: RequestListener, config: TlsConfig, log: Logger): Server {
  const tls = tlsOptions(config);
  if (!tls) return createServer(LIMITS, front);
  const server = createSecureServer({ ...LIMITS, ...tls, handshakeTimeout: HANDSHAKE_LIMIT_MS }, front);
  followCertificate(config, server, log);
  return server;
}

const BROKEN: Record<string, [ApiErrorCode, string]> = {
  HPE_HEADER_OVERFLOW: ['HEADERS_TOO_LARGE', 'The request line and headers are larger than 16 KiB.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['PAYLOAD_TOO_LARGE', 'The chunk extensions are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TIMEOUT', 'The request did not come in time.'],
};

/** Answers bytes that are no HTTP on the socket itself, because they make no request and no response. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  // After a broken connection or TLS handshake nothing can be said, and waiting for that to be said never ends.
  if (!socket.writable || !/^(HPE|ERR_HTTP)_/.test(error.code ?? '')) return void socket.destroy();
  const [code, message] = BROKEN[error.code ?? ''] ?? [
    'INVALID_REQUEST',
    'This is not a valid HTTP request.',
  ];
  // Further bytes are not read, because they could be taken for another request.
  socket.end(rawProblem(new ApiError(code, message)), () => socket.destroy());
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
