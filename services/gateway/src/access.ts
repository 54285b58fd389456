import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { Request, Response } from 'express';
import { ipKeyGenerator, rateLimit, type RateLimitRequestHandler } from 'express-rate-limit';
import { operations } from './api/operations';
import type { GatewayConfig } from './config';
import { opensBoard } from './pages/accept';
import { ApiError, header, sendProblem, traceIdOf } from './problem';
import { type Caller, DEFAULT_CLIENT, parseTokens, Tokens } from './tokens';

/** Exact paths: anything else is closed. */
const OPEN = new Set(operations.filter(([, { role }]) => role === 'anyone').map(([, { path }]) => path));
const UNLIMITED = new Set(['/health', '/health/live', '/health/ready']);
/** Files of the pages: they hold nothing of the fleet. */
const ASSETS = '/assets/';
const WINDOW_MS = 60_000;
/** Without tokens everybody may do everything. */
const ANYONE: Caller = { client: DEFAULT_CLIENT, operator: true };

export type AccessConfig = Pick<
  GatewayConfig,
  'AUTH_ENABLED' | 'AUTH_TOKEN' | 'OPERATOR_TOKEN' | 'RATE_LIMIT' | 'TRUSTED_PROXIES'
>;

/** Decides which clients may ask, and how often. Works on plain requests, before express as well as in it. */
export class Access {
  private readonly tokens: Tokens | null;
  private readonly limiter: RateLimitRequestHandler | null;

  constructor(private readonly config: AccessConfig) {
    const { AUTH_ENABLED, AUTH_TOKEN, OPERATOR_TOKEN, RATE_LIMIT } = config;
    this.tokens = AUTH_ENABLED
      ? new Tokens(parseTokens(AUTH_TOKEN) ?? [], parseTokens(OPERATOR_TOKEN) ?? [])
      : null;
    this.limiter = RATE_LIMIT > 0 ? this.limit(RATE_LIMIT) : null;
  }

  /** Calls `next` with the client's name when the request may go on, and answers it otherwise. */
  check(req: IncomingMessage, res: ServerResponse, next: (client: string) => void): void {
    if (!this.tokens && !this.limiter) return next(DEFAULT_CLIENT);
    const path = req.url?.split('?', 1)[0] ?? '/';
    const admit = (): void => {
      const caller = this.callerOf(req);
      const open = OPEN.has(path) || path.startsWith(ASSETS) || opensBoard(req);
      if (caller || open) return next(caller?.client ?? DEFAULT_CLIENT);
      const headers = { 'www-authenticate': 'Bearer realm="tps"' };
      const message = 'Send one valid token as Authorization: Bearer <token>.';
      sendProblem(req, res, new ApiError('UNAUTHORIZED', message, { headers }), traceIdOf(req));
    };
    if (!this.limiter || UNLIMITED.has(path) || path.startsWith(ASSETS)) return admit();
    // All the limiter wants of express: `append`, which Node calls otherwise.
    const response = Object.assign(res, { append: res.appendHeader.bind(res) });
    // Limit before the token is checked, so that guessing is limited too, by address.
    void this.limiter(req as Request, response as unknown as Response, admit);
  }

  /** @throws ApiError FORBIDDEN */
  requireOperator(req: IncomingMessage): void {
    if (this.callerOf(req)?.operator) return;
    const message = this.config.OPERATOR_TOKEN
      ? "This takes an operator's token."
      : "This takes an operator's token, and OPERATOR_TOKEN is not set.";
    throw new ApiError('FORBIDDEN', message);
  }

  /** The name of the client that the token belongs to; undefined for a token without a name. */
  nameOf(req: IncomingMessage): string | undefined {
    const client = this.callerOf(req)?.client;
    return client === DEFAULT_CLIENT ? undefined : client;
  }

  private callerOf(req: IncomingMessage): Caller | null {
    return this.tokens ? this.tokens.callerOf(req.headers.authorization) : ANYONE;
  }

  private limit(perMinute: number): RateLimitRequestHandler {
    return rateLimit({
      windowMs: WINDOW_MS,
      limit: perMinute,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      // Its checks are about express' settings, which a plain request does not have.
      validate: false,
      keyGenerator: (req) => this.limitedAs(req),
      handler: (req, res) => {
        const error = new ApiError('RATE_LIMITED', `More than ${perMinute} requests a minute.`);
        sendProblem(req, res, error, traceIdOf(req));
      },
    });
  }

  /** Limits a client by its name, whichever token and address it uses, or else by its address. */
  private limitedAs(req: IncomingMessage): string {
    const caller = this.tokens && this.callerOf(req);
    if (!caller) return ipKeyGenerator(this.addressOf(req));
    // Clients must not use up what an operator needs to stop them.
    return `${caller.operator ? 'operator' : 'client'}/${caller.client}`;
  }

  /**
   * Takes the address from the entry that the outermost trusted proxy wrote. The client may have made up all entries
   * before it. An entry without an address (`unknown`) counts as the proxy itself, so such clients share one limit.
   */
  private addressOf(req: IncomingMessage): string {
    const proxies = this.config.TRUSTED_PROXIES;
    const entry = proxies > 0 ? (header(req, 'x-forwarded-for') ?? '').split(',').at(-proxies) : undefined;
    return addressIn(entry ?? '') ?? req.socket.remoteAddress ?? '';
  }
}

/** Reads one entry of `X-Forwarded-For`. Some proxies add the client's port, a new one per connection, or quotes. */
export function addressIn(entry: string): string | undefined {
  const text = entry.trim().replace(/^"(.*)"$/, '$1');
  const [, bracketed, beforePort] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(text) ?? [];
  const address = bracketed ?? beforePort ?? text;
  // The zone of an IPv6 address names an interface of the proxy, not the client.
  return isIP(address) ? address.split('%')[0] : undefined;
}
