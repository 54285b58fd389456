import { createHash } from 'node:crypto';
import { IDEMPOTENCY_KEY_PATTERN } from '@tps/contracts';
import { v5 as uuidv5, v7 as uuidv7 } from 'uuid';
import { ApiError } from '../problem';
import type { SignalInput } from './validate';

/** Ids made of keys are unlike those of any other system that does the same. */
const NAMESPACE = '5b0d4c1e-7a52-4c0e-9d0b-6f1a2c9c7d10';
const KEY = new RegExp(IDEMPOTENCY_KEY_PATTERN);

export interface Identity {
  id: string;
  /** Present with a key: tells a repeat from another request under the same key. */
  request_hash?: string;
}

/**
 * @param client the owner of the key: the same key of another client is another signal
 * @throws ApiError INVALID_REQUEST for a malformed key
 */
export function identify(key: string | undefined, client: string, input: SignalInput): Identity {
  if (key === undefined) return { id: uuidv7() };
  if (!KEY.test(key)) throw malformed(key);
  const { signal_type, payload, priority } = input;
  const request = canonical({ signal_type, payload, priority });
  return {
    id: uuidv5(`${client}/${key}`, NAMESPACE),
    request_hash: createHash('sha256').update(request).digest('hex'),
  };
}

function malformed(key: string): ApiError {
  const allowed = '1 to 64 characters, each a letter, a digit or one of "_", ".", ":" and "-"';
  return new ApiError(
    'INVALID_REQUEST',
    `Idempotency-Key: "${key.slice(0, 100)}" is not allowed: must be ${allowed}.`,
  );
}

/** JSON with keys in one order: a client may build the same body differently the second time. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonical(entry)}`).join(',')}}`;
}
