import { type Static, Type } from '@sinclair/typebox';
import { anyObject, time } from './fields';
import { version } from './version';

/** The priorities of a signal, the most urgent first. */
export const PRIORITIES = [1, 2, 3, 4] as const;
/** 1 critical, 2 high, 3 normal, 4 low. */
export type Priority = (typeof PRIORITIES)[number];
export const Priority = Type.Unsafe<Priority>(
  Type.Integer({ minimum: 1, maximum: 4, description: '1 critical, 2 high, 3 normal, 4 low' }),
);

/** The form of a signal type's name, which becomes a token of subjects, a key of buckets and a metric label. */
export const SIGNAL_TYPE_PATTERN = '^[a-z][a-z0-9_-]{0,47}$';
/** A signal type's name. */
export const signalType = (description = 'Signal type') =>
  Type.String({ pattern: SIGNAL_TYPE_PATTERN, description });

/** An `Idempotency-Key` that a client may send. A `/` is excluded: it separates client and key where the id is made. */
export const IDEMPOTENCY_KEY_PATTERN = '^[A-Za-z0-9_.:-]{1,64}$';

/** The longest `timeout_ms` of a caller who waits, in milliseconds. */
export const MAX_SYNC_TIMEOUT_MS = 300_000;
/** The longest `timeout_ms` with `Prefer: respond-async`, and its default there, in milliseconds. */
export const MAX_ASYNC_TIMEOUT_MS = 24 * 3_600_000;
/** `timeout_ms` of a caller who waits and does not say, in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 30_000;
/** Limit of a request body, and of what a handler may return, in bytes of JSON. */
export const MAX_BODY_BYTES = 256 * 1024;

/** A unit of work as it travels over NATS and rests in the stream KANBAN. The gateway writes it. */
export const Signal = Type.Object({
  v: version(),
  id: Type.String({ minLength: 1, description: 'UUID; the idempotency key of every effect' }),
  run: Type.Integer({ minimum: 0, description: '0 for the first run; each redrive starts the next' }),
  signal_type: signalType('Which handler works on it'),
  priority: Priority,
  payload: anyObject('Input of the handler'),
  timeout_ms: Type.Integer({
    minimum: 1,
    description: 'Bounds waiting and work together, in milliseconds from `created_at`',
  }),
  created_at: time('When the gateway took it'),
  reply_to: Type.Optional(
    Type.String({
      description: 'Subject on which a caller waits for the final outcome; absent if nobody does',
    }),
  ),
  request_hash: Type.Optional(
    Type.String({
      description:
        'SHA-256 of a request with an Idempotency-Key: tells a repeat from another body under that key',
    }),
  ),
});
export type Signal = Static<typeof Signal>;

/** Identifies one run of a signal in sets and message ids: `<id>:<run>`. */
export type RunKey = `${string}:${number}`;

/** The key of a run. */
export function runKey({ id, run }: Pick<Signal, 'id' | 'run'>): RunKey {
  return `${id}:${run}`;
}

/** `app_id` of the messages that gateways put on the backup. */
export const BACKUP_APP_ID = 'tps-system';

/** Header of a work message that may have run before: the worker looks it up in the records before it runs it. */
export const SUSPECT_HEADER = 'tps-suspect';
