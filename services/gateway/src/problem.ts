import { randomBytes } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { API_ERRORS, type ApiErrorCode } from '@tps/contracts';
import { traceIdIn } from '@tps/telemetry';

export interface ApiErrorDetails {
  /** Members of the problem body beside the standard ones. */
  members?: Record<string, unknown>;
  /** For codes that are worth another try. Default: a second. */
  retryAfterMs?: number;
  headers?: Record<string, string>;
  /** The error behind it, which the client does not see. */
  cause?: unknown;
}

/** The reason why a request is not done, as the client gets it. Anything else that is thrown becomes `INTERNAL`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly code: ApiErrorCode,
    message: string,
    readonly details: ApiErrorDetails = {},
  ) {
    super(message, { cause: details.cause });
  }
  get status(): number {
    return API_ERRORS[this.code].status;
  }
}

const DEFAULT_RETRY_MS = 1_000;
/** How long a client that still sends may go on, so that it gets to read why it should not. */
const LINGER_MS = 1_000;

/** Answers with a problem (RFC 9457). A response that is gone or under way is left alone. */
export function sendProblem(
  req: IncomingMessage,
  res: ServerResponse,
  error: ApiError,
  traceId: string,
): void {
  if (res.headersSent || res.destroyed) return;
  const { status, retryable } = API_ERRORS[error.code];
  for (const [name, value] of Object.entries(error.details.headers ?? {})) res.setHeader(name, value);
  // The rate limiter has set its own by now.
  if (retryable && status !== 500 && !res.hasHeader('retry-after')) {
    const waitMs = error.details.retryAfterMs ?? DEFAULT_RETRY_MS;
    res.setHeader('retry-after', Math.max(1, Math.ceil(waitMs / 1000)));
  }
  const body = bodyOf(error, traceId);
  res.setHeader('content-type', 'application/problem+json');
  res.setHeader('content-length', Buffer.byteLength(body));
  res.setHeader('x-content-type-options', 'nosniff');
  res.statusCode = status;
  if (error.code === 'PAYLOAD_TOO_LARGE' && !req.complete) endUnread(req, res, body);
  else res.end(body);
}

/** The same answer for a connection on which no request could be read; it ends with it. */
export function rawProblem(error: ApiError): string {
  const body = bodyOf(error, newTraceId());
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'x-content-type-options: nosniff',
    'connection: close',
    '',
    body,
  ].join('\r\n');
}

function bodyOf(error: ApiError, traceId: string): string {
  const { status, meaning } = API_ERRORS[error.code];
  return JSON.stringify({
    type: `/#${error.code}`,
    title: meaning,
    status,
    success: false,
    code: error.code,
    message: error.message,
    trace_id: traceId,
    ...error.details.members,
  });
}

/**
 * Throws away the rest of the request for a moment, then ends the connection. Closing at once would reset the connection
 * while the client still writes, and the answer would be lost.
 */
function endUnread(req: IncomingMessage, res: ServerResponse, body: string): void {
  res.setHeader('connection', 'close');
  res.write(body);
  const timer = setTimeout(() => req.destroy(), LINGER_MS);
  req.once('close', () => clearTimeout(timer)).once('end', () => res.end());
  req.resume();
}

export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  if (res.headersSent || res.destroyed) return;
  const body = JSON.stringify(value);
  res.setHeader('content-type', 'application/json; charset=utf-8');
  res.setHeader('content-length', Buffer.byteLength(body));
  res.setHeader('x-content-type-options', 'nosniff');
  res.statusCode = status;
  res.end(body);
}

/** The caller's trace, or one that exists only to find the request in the log. */
export function traceIdOf(req: IncomingMessage): string {
  return traceIdIn(header(req, 'traceparent')) ?? newTraceId();
}

function newTraceId(): string {
  return randomBytes(16).toString('hex');
}

export function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
