import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { headersOf } from '@tps/service';
import { RejectedError, TransientError } from '@tps/worker';
import CircuitBreaker from 'opossum';
import type { Task } from './execute';
import { allowedHosts, type HttpRequest, readRequest } from './http-request';

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  /** What JSON says, text as it is, anything else in base64; null when there is none. */
  body: unknown;
  encoding?: 'base64';
  /** The answer was longer than 64 KiB; the rest was not read. */
  truncated?: true;
}

const MAX_ANSWER_BYTES = 64 * 1024;
const KEPT_HEADERS = [
  'content-type',
  'date',
  'etag',
  'last-modified',
  'location',
  'retry-after',
  'x-request-id',
];
const TOO_MANY_REQUESTS = 429;

/** Attempts that a failing host does not get wait at least this long. */
const RESET_MS = 10_000;
const BREAKER = {
  // The attempt's own limit ends every call.
  timeout: false,
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  resetTimeout: RESET_MS,
  rollingPercentilesEnabled: false,
  enableSnapshots: false,
  // Neither an answer that rejects the signal nor a signal that ran out of its own time says the host is ill.
  errorFilter: (error: unknown) => !(error instanceof TransientError),
} as const;

type HostBreaker = CircuitBreaker<[HttpRequest, AbortSignal], HttpAnswer>;

/** Delivers a request to an allowed host, with the signal's id as the key by which the host may tell a repeat. */
export class HttpTask {
  private readonly allowed: ReadonlySet<string>;
  /** By `host:port`; only allowed hosts get one, so there are at most two for each entry of the list. */
  private readonly breakers = new Map<string, HostBreaker>();

  constructor(allowlist: string) {
    this.allowed = allowedHosts(allowlist);
  }

  readonly run: Task = async (payload, { signal, span, abort }) => {
    const request = readRequest(payload, this.allowed);
    const delivery = startSpan(request, span);
    Object.assign(request.headers, headersOf(delivery), { 'idempotency-key': signal.id });
    try {
      const answer = await this.ask(request, abort, signal.trial);
      delivery.setAttribute('http.response.status_code', answer.status);
      return answer;
    } catch (error) {
      delivery.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      if (!CircuitBreaker.isOurError(error as Error)) throw error;
      const message = `circuit of host ${request.host} open`;
      // Sooner, the attempts of a signal would be used up without a single delivery.
      throw new TransientError(message, { cause: error, retryAfterMs: RESET_MS });
    } finally {
      delivery.end();
    }
  };

  close(): void {
    for (const breaker of this.breakers.values()) breaker.shutdown();
  }

  /** A trial is there to find out whether the host is well again: it is asked whatever its circuit says. */
  private async ask(request: HttpRequest, abort: AbortSignal, trial: boolean): Promise<HttpAnswer> {
    const breaker = this.breakerOf(request.host);
    if (!trial || breaker.closed) return breaker.fire(request, abort);
    const answer = await deliver(request, abort);
    breaker.close();
    return answer;
  }

  private breakerOf(host: string): HostBreaker {
    const known = this.breakers.get(host);
    if (known) return known;
    // A copy: opossum writes into its options.
    const breaker = new CircuitBreaker(deliver, { ...BREAKER });
    this.breakers.set(host, breaker);
    return breaker;
  }
}

/** The host, if it is traced too, goes on below this span. */
function startSpan({ method, url }: HttpRequest, parent: Span): Span {
  const attributes = {
    'http.request.method': method,
    'server.address': url.hostname,
    'url.scheme': url.protocol.slice(0, -1),
  };
  const context = trace.setSpan(ROOT_CONTEXT, parent);
  return trace.getTracer('tps').startSpan(method, { kind: SpanKind.CLIENT, attributes }, context);
}

async function deliver(request: HttpRequest, abort: AbortSignal): Promise<HttpAnswer> {
  const { url, host, ...init } = request;
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: abort });
    await refuse(response, `${init.method} ${host} answered ${response.status}`);
    return { status: response.status, headers: keptHeaders(response), ...(await readBody(response)) };
  } catch (error) {
    if (abort.aborted) throw abort.reason;
    // fetch() gives what the network did as the cause; an error without one is not the network's.
    const { cause } = error as { cause?: Error & { code?: string } };
    if (!cause) throw error;
    throw new TransientError(`${init.method} ${host} failed: ${cause.code ?? cause.message}`, { cause });
  }
}

/** Throws for every answer but a success, and lets go of the connection. */
async function refuse(response: Response, what: string): Promise<void> {
  const { status } = response;
  if (response.ok) return;
  await response.body?.cancel();
  if (status >= 500 || status === TOO_MANY_REQUESTS) throw new TransientError(what);
  if (status >= 400) throw new RejectedError(what);
  throw new RejectedError(`${what}: redirects are not followed`);
}

function keptHeaders({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => KEPT_HEADERS.includes(name)));
}

async function readBody(response: Response): Promise<Omit<HttpAnswer, 'status' | 'headers'>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    // Leaving the loop cancels the rest.
    if (size > MAX_ANSWER_BYTES) break;
  }
  if (size === 0) return { body: null };
  const bytes = Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES);
  const cut = size > MAX_ANSWER_BYTES ? ({ truncated: true } as const) : {};
  const text = asText(bytes, size > MAX_ANSWER_BYTES);
  if (text === undefined) return { body: bytes.toString('base64'), encoding: 'base64', ...cut };
  const json = /[/+]json\b/.test(response.headers.get('content-type') ?? '');
  return { body: json ? parsed(text) : text, ...cut };
}

/** UTF-8 without control characters, which JSON would blow up sixfold; `cut` text may end inside a character. */
function asText(bytes: Uint8Array, cut: boolean): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
    return /[^\P{Cc}\t\r\n]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
