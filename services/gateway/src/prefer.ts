import type { IncomingMessage } from 'node:http';
import { ApiError, header } from './problem';

const MAX_WAIT_S = 60;

export interface Preferences {
  respondAsync: boolean;
  waitMs: number;
}

const NONE: Preferences = { respondAsync: false, waitMs: 0 };

/**
 * Reads the `Prefer` header. As RFC 7240 asks, unknown preferences are ignored and the first of two equal ones counts.
 * @throws ApiError INVALID_REQUEST for a known preference that is malformed: ignoring it would do the opposite
 */
export function preferences(req: IncomingMessage): Preferences {
  const given = header(req, 'prefer');
  if (given === undefined) return NONE;
  let respondAsync = false;
  let waitMs: number | undefined;
  for (const entry of split(given, ',')) {
    const [name, value] = preferenceIn(entry);
    if (name === 'respond-async') {
      if (value !== '') throw malformed(entry, 'respond-async takes no value');
      respondAsync = true;
    } else if (name === 'wait') {
      if (!/^\d+$/.test(value)) throw malformed(entry, 'wait takes whole seconds, as in wait=10');
      waitMs ??= Math.min(Number(value), MAX_WAIT_S) * 1_000;
    }
  }
  return { respondAsync, waitMs: waitMs ?? 0 };
}

/** Leaves out parameters: no preference that is known here has any. */
function preferenceIn(entry: string): [name: string, value: string] {
  const [head = ''] = split(entry, ';');
  const equals = head.indexOf('=');
  if (equals < 0) return [head.trim().toLowerCase(), ''];
  const value = head.slice(equals + 1).trim();
  return [head.slice(0, equals).trim().toLowerCase(), value.replace(/^"(.*)"$/, '$1')];
}

/** Splits at every mark outside quotes. */
function split(text: string, mark: string): string[] {
  const deps: string[] = [];
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') quoted = !quoted;
    else if (char === '\\' && quoted) at += 1;
    else if (char === mark && !quoted) {
      deps.push(text.slice(from, at));
      from = at + 1;
    }
  }
  if (quoted) throw malformed(text, 'a quote is not closed');
  return [...deps, text.slice(from)];
}

function malformed(entry: string, why: string): ApiError {
  return new ApiError('INVALID_REQUEST', `Prefer: ${entry.trim().slice(0, 100)} is not allowed: ${why}.`);
}
