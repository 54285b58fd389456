import { type Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { RejectedError, TransientError } from '@tps/worker';
import { EXECUTE_LIMIT_MS } from './execute';
import { type HttpAnswer, readAnswer } from './http-answer';
import type { HttpRequest } from './http-request';
import { retryAfterMs } from './retry-after';

export interface Delivery {
  request: HttpRequest;
  agent: Agent;
  abort: AbortSignal;
  /** When the attempt ends. */
  endsAtMs: number;
}

/** A host that does not answer must fail here, because the attempt's own time-out would count against the line. */
const HEADER_LIMIT_MS = EXECUTE_LIMIT_MS - 1_000;
/** A body that takes longer than this is cut. */
const BODY_LIMIT_MS = 10_000;
/** Leaves time to record an answer that is cut at the last moment as a success. */
const MARGIN_MS = 250;
const TOO_MANY_REQUESTS = 429;
const DEFAULT_HEADERS = { accept: '*/*', 'accept-encoding': 'gzip', 'user-agent': 'tps-worker' };

/**
 * Makes one request. A host that answers 2xx has the delivery, whatever follows the header.
 * @throws TransientError for 5xx, 429 and when the network or the host fails
 * @throws RejectedError for every other answer
 */
export async function deliver(delivery: Delivery): Promise<HttpAnswer> {
  const response = await send(delivery);
  rejectResponse(response, delivery.request);
  const leftMs = delivery.endsAtMs - Date.now() - MARGIN_MS;
  return readAnswer(response, Math.max(0, Math.min(BODY_LIMIT_MS, leftMs)));
}

/** Resolves with the header of the answer. */
function send({ request, agent, abort }: Delivery): Promise<IncomingMessage> {
  const { url, host, method, body } = request;
  const headers: Record<string, string> = { ...DEFAULT_HEADERS, ...request.headers };
  // Node sends a body with DELETE only if this header is set.
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
  const ask = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const asked = ask(url, { method, headers, agent, signal: abort });
    const late = new Error(`no answer within ${HEADER_LIMIT_MS} ms`);
    const timer = setTimeout(() => asked.destroy(late), HEADER_LIMIT_MS);
    // Never removed: the body reports errors after the header.
    asked.on('error', (cause: Error & { code?: string }) => {
      clearTimeout(timer);
      if (abort.aborted) return reject(abort.reason as Error);
      const message = `${method} ${host} failed: ${cause.code ?? cause.message}`;
      reject(new TransientError(message, { cause, dependency: host }));
    });
    asked.once('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    asked.end(body);
  });
}

/** Throws for every answer except a success, and ends the connection. */
function rejectResponse(response: IncomingMessage, { method, host }: HttpRequest): void {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return;
  response.destroy();
  const what = `${method} ${host} answered ${status}`;
  if (status >= 500 || status === TOO_MANY_REQUESTS) {
    const afterMs = retryAfterMs(response.headers, Date.now());
    const asks = afterMs > 0 ? ` and asks for ${Math.ceil(afterMs / 1000)} s of rest` : '';
    throw new TransientError(what + asks, { retryAfterMs: afterMs, dependency: host });
  }
  if (status >= 400) throw new RejectedError(what);
  throw new RejectedError(`${what}: redirects are not followed`);
}
