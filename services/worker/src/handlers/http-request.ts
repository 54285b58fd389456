import { validateHeaderName, validateHeaderValue } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';
import { RejectedError } from '@tps/worker';
import Ajv from 'ajv';

/** A request that a signal may make. */
export interface HttpRequest {
  url: URL;
  /** `host:port` */
  host: string;
  method: string;
  headers: Record<string, string>;
  body?: string;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'];
const WITHOUT_BODY = ['GET', 'HEAD'];
const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' };

/** Headers that the worker sets, or that belong to the connection (RFC 9110, 7.6.1). */
const OWN_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const PayloadSchema = Type.Object({
  url: Type.String(),
  method: Type.Optional(Type.String()),
  headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  body: Type.Optional(Type.Unknown()),
});
const ajv = new Ajv();
const isPayload = ajv.compile<Static<typeof PayloadSchema>>(PayloadSchema);

/** The entries of `TPS_HTTP_ALLOWLIST`. */
export function allowedHosts(list: string): ReadonlySet<string> {
  const entries = list.split(',').map((entry) => entry.trim().toLowerCase());
  return new Set(entries.filter(Boolean));
}

/**
 * Reads the payload of the task `http`.
 * @throws RejectedError for a request that is not allowed
 */
export function readRequest(payload: unknown, allowed: ReadonlySet<string>): HttpRequest {
  if (!isPayload(payload)) {
    throw new RejectedError(ajv.errorsText(isPayload.errors, { dataVar: 'payload' }));
  }
  const { body } = payload;
  const method = payload.method ?? (body === undefined ? 'GET' : 'POST');
  if (!METHODS.includes(method))
    throw new RejectedError(`payload.method must be one of ${METHODS.join(', ')}`);
  const target = readTarget(payload.url, allowed);
  const headers = readHeaders(payload.headers ?? {});
  if (body === undefined) return { ...target, method, headers };
  if (WITHOUT_BODY.includes(method)) throw new RejectedError(`a ${method} request has no body`);
  if (typeof body === 'string') {
    headers['content-type'] ??= 'text/plain;charset=UTF-8';
    return { ...target, method, headers, body };
  }
  headers['content-type'] ??= 'application/json';
  return { ...target, method, headers, body: JSON.stringify(body) };
}

function readTarget(text: string, allowed: ReadonlySet<string>): { url: URL; host: string } {
  if (!URL.canParse(text)) throw new RejectedError('payload.url is not a URL');
  const url = new URL(text);
  const port = url.port || DEFAULT_PORTS[url.protocol];
  if (!port || !(url.protocol in DEFAULT_PORTS)) {
    throw new RejectedError('payload.url must begin with http:// or https://');
  }
  if (url.username || url.password) throw new RejectedError('payload.url must not hold credentials');
  const host = `${url.hostname}:${port}`;
  const standard = port === DEFAULT_PORTS[url.protocol];
  if (allowed.has(host) || (standard && allowed.has(url.hostname))) return { url, host };
  throw new RejectedError(
    `host ${host} is not allowed: whoever runs the worker can add it to TPS_HTTP_ALLOWLIST`,
  );
}

function readHeaders(given: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch (error) {
      throw new RejectedError(`payload.headers: ${(error as Error).message}`);
    }
    const key = name.toLowerCase();
    if (OWN_HEADERS.has(key)) throw new RejectedError(`payload.headers: ${key} is set by the worker only`);
    headers[key] = value;
  }
  return headers;
}
