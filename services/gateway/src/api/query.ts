import type { IncomingMessage } from 'node:http';
import type { Fault } from '@tps/contracts';
import { ApiError } from '../problem';

/** Plain digits. `Number` would also read ` 10`, `0x10` and `1e1`, which nobody sends on purpose. */
const WHOLE_NUMBER = /^(0|[1-9]\d*)$/;

/**
 * Reads the parameters after the first `?` as text.
 * @throws ApiError INVALID_REQUEST that names a repeated parameter or one that cannot be decoded
 */
export function queryOf({ url = '' }: IncomingMessage): Record<string, string> {
  const query: Record<string, string> = {};
  const start = url.indexOf('?');
  if (start < 0) return query;
  for (const pair of url.slice(start + 1).split('&')) {
    if (pair === '') continue;
    const [name, value] = parameterIn(pair);
    if (Object.hasOwn(query, name)) throw invalid([fault(name, 'is given twice', 'once')]);
    // Defining it keeps `__proto__` an ordinary name, which the schema refuses as unknown.
    Object.defineProperty(query, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return query;
}

/**
 * Refuses all parameters. For `POST /signal`, which takes none and does not go through `inputReader`.
 * @throws ApiError INVALID_REQUEST that names them
 */
export function refuseQuery(req: IncomingMessage): void {
  if (!req.url?.includes('?')) return;
  const names = Object.keys(queryOf(req));
  if (names.length > 0)
    throw invalid(names.map((name) => fault(name, 'is not a known field', 'additionalProperties')));
}

/** Turns the named parameters into numbers. Other text stays as it is, for the schema to refuse. */
export function withNumbers(
  query: Record<string, string>,
  numbers: readonly string[],
): Record<string, unknown> {
  const typed: Record<string, unknown> = query;
  for (const name of numbers) {
    const text = query[name];
    if (text !== undefined && WHOLE_NUMBER.test(text)) typed[name] = Number(text);
  }
  return typed;
}

export function invalid(errors: Fault[]): ApiError {
  const all = errors.map(({ path, message }) => `${path || 'the body'} ${message}`);
  return new ApiError('INVALID_REQUEST', all.join('; ').slice(0, 1_000), { members: { errors } });
}

function parameterIn(pair: string): [name: string, value: string] {
  const equals = pair.indexOf('=');
  const name = equals < 0 ? pair : pair.slice(0, equals);
  // RFC 3986 allows it, but a client that appends `?status=...` to a URL with a query means a parameter.
  if (pair.includes('?')) throw invalid([fault(name, 'holds a second "?": write it as %3F', 'once')]);
  return [decoded(name, name), equals < 0 ? '' : decoded(pair.slice(equals + 1), name)];
}

function decoded(text: string, name: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw invalid([fault(name, `cannot be decoded: ${text.slice(0, 100)}`, 'encoding')]);
  }
}

function fault(name: string, message: string, rule: string): Fault {
  return { path: `/${name}`, message, rule };
}
