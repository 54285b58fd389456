import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { ipKeyGenerator, rateLimit, type RateLimitRequestHandler } from 'express-rate-limit';
import type { GatewayConfig } from './config';
import { ApiError, header, sendProblem, traceIdOf } from './problem';

/** What probes and readers of the documentation need comes without a token. Exact paths: anything else is closed. */
const OPEN = new Set(['/', '/openapi.json', '/health', '/health/live', '/health/ready']);
const UNLIMITED = new Set(['/health', '/health/live', '/health/ready']);
const WINDOW_MS = 60_000;

export type AccessConfig = Pick<
  GatewayConfig,
  'AUTH_ENABLED' | 'AUTH_TOKEN' | 'RATE_LIMIT' | 'TRUSTED_PROXIES'
>;

/** Who may ask, and how often. Works on plain requests, so that it holds before express as well as in it. */
export class Access {
  private readonly token: Buffer | null;
  private readonly limiter: RateLimitRequestHandler | null;

  constructor(private readonly config: AccessConfig) {
    this.token = config.AUTH_ENABLED ? digest(config.AUTH_TOKEN) : null;
    this.limiter = config.RATE_LIMIT > 0 ? this.limit(config.RATE_LIMIT) : null;
  }

  /** Calls `next` when the request may go on, and answers it otherwise. */
  check(req: IncomingMessage, res: ServerResponse, next: () => void): void {
    if (!this.token && !this.limiter) return next();
    const path = req.url?.split('?', 1)[0] ?? '/';
    if (this.token && !OPEN.has(path) && !this.authorized(req, this.token)) {
      const headers = { 'www-authenticate': 'Bearer realm="tps"' };
      const error = new ApiError('UNAUTHORIZED', 'Send a valid token as Authorization: Bearer <token>.', {
        headers,
      });
      return sendProblem(req, res, error, traceIdOf(req));
    }
    if (!this.limiter || UNLIMITED.has(path)) return next();
    // All the limiter wants of express: `append`, which Node calls otherwise.
    const response = Object.assign(res, { append: res.appendHeader.bind(res) });
    void this.limiter(req as Request, response as unknown as Response, next);
  }

  /** Digests have one length, so the comparison takes the same time for every wrong token. */
  private authorized(req: IncomingMessage, expected: Buffer): boolean {
    const [scheme, token] = (req.headers.authorization ?? '').split(' ', 2);
    return scheme?.toLowerCase() === 'bearer' && timingSafeEqual(digest(token ?? ''), expected);
  }

  private limit(perMinute: number): RateLimitRequestHandler {
    return rateLimit({
      windowMs: WINDOW_MS,
      limit: perMinute,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      // Its checks are about express' settings, which a plain request does not have.
      validate: false,
      keyGenerator: (req) => ipKeyGenerator(this.addressOf(req)),
      handler: (req, res) => {
        const error = new ApiError('RATE_LIMITED', `More than ${perMinute} requests a minute.`);
        sendProblem(req, res, error, traceIdOf(req));
      },
    });
  }

  /** The entry that the outermost trusted proxy wrote; what stands before it, the client may have made up. */
  private addressOf(req: IncomingMessage): string {
    const hops = (header(req, 'x-forwarded-for') ?? '').split(',').map((hop) => hop.trim());
    const proxies = this.config.TRUSTED_PROXIES;
    return (proxies > 0 && hops.at(-proxies)) || (req.socket.remoteAddress ?? '');
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
