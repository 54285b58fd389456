import { type Static, Type } from '@sinclair/typebox';

/** 1 critical, 2 high, 3 normal, 4 low. */
export const PRIORITIES = [1, 2, 3, 4] as const;
export type Priority = (typeof PRIORITIES)[number];

export const SIGNAL_TYPE_PATTERN = '^[a-z][a-z0-9_-]{0,47}$';
/** Longest a caller who waits may ask for, and the longest of `Prefer: respond-async`. */
export const MAX_SYNC_TIMEOUT_MS = 300_000;
export const MAX_ASYNC_TIMEOUT_MS = 24 * 3_600_000;
export const DEFAULT_TIMEOUT_MS = 30_000;
/** Limits of a request body and of what a handler may return, in bytes of JSON. */
export const MAX_BODY_BYTES = 256 * 1024;

export const PrioritySchema = Type.Integer({
  minimum: 1,
  maximum: 4,
  description: '1 critical, 2 high, 3 normal, 4 low',
});

/** A unit of work as it travels over NATS and rests in the stream KANBAN. Times are ISO 8601 UTC. */
export interface Signal {
  v: number;
  id: string;
  /** 0 for the first run; a redrive starts the next. */
  run: number;
  signal_type: string;
  priority: Priority;
  payload: Record<string, unknown>;
  /** Bounds waiting and work together, counted from `created_at`. */
  timeout_ms: number;
  created_at: string;
  /** Subject on which a caller waits for the final outcome; absent when nobody does. */
  reply_to?: string;
  /** SHA-256 of the request when it came with an `Idempotency-Key`: tells a repeat from a misuse of the key. */
  request_hash?: string;
}

export const FINAL_STATUSES = ['succeeded', 'failed', 'rejected', 'expired', 'cancelled'] as const;
export type FinalStatus = (typeof FINAL_STATUSES)[number];
/** `retrying`: this attempt failed and another follows. `returned`: handed back unrun; costs no attempt. */
export type OutcomeStatus = FinalStatus | 'retrying' | 'returned';

export const ERROR_CLASSES = ['transient', 'defect', 'capacity', 'rejected'] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** How the level schedule came to this signal; becomes the attributes of the span `heijunka.level`. */
export interface Levelling {
  /** `<type>/<priority>` */
  lane: string;
  /** Position in the worker's sequence of picks since it started. */
  place: number;
  /** Milliseconds between the worker's decision to take a signal of this lane and its start. */
  card_wait_ms: number;
}

/** What became of one attempt (`final: false`) or of the whole run (`final: true`). Durations are milliseconds. */
export interface Outcome {
  v: number;
  signal_id: string;
  run: number;
  signal_type: string;
  priority: Priority;
  status: OutcomeStatus;
  final: boolean;
  /** Attempts this run has used up, this one included. */
  attempt: number;
  success: boolean;
  message: string;
  error_class?: ErrorClass;
  /** Groups equal errors: error name, message with numbers and ids blanked, first own stack frame. */
  fingerprint?: string;
  /** The dependency (a host, say) that failed: the failure counts against it and not against the line. */
  dependency?: string;
  result?: unknown;
  worker_id: string;
  enqueued_at: string;
  started_at: string;
  finished_at: string;
  /** From acceptance to the start of this attempt. */
  wait_ms: number;
  /** The work itself. */
  process_ms: number;
  trace_id: string;
  /** The broker's delivery count when this was written: deliveries beyond it left no record. */
  delivery?: number;
  /** Set when this was the trial of a stopped circuit: only the outcome of the current epoch decides. */
  epoch?: number;
  request_hash?: string;
  level?: Levelling;
}

export function isFinal(status: OutcomeStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly string[]).includes(status);
}

/** The message of a hand-back that has no reason of its own. */
export const HANDED_BACK = 'handed back before it ran to its end';
const NOT_STARTED = 'not started within its timeout_ms';

/**
 * Says of a signal that expires what kept it from starting: after failed attempts that is the failure.
 * @param last the record before
 */
export function lateMessage(attempts: number, last?: Pick<Outcome, 'error_class' | 'message'>): string {
  if (attempts === 0) {
    if (!last || last.error_class || last.message === HANDED_BACK) return NOT_STARTED;
    return last.message.startsWith(NOT_STARTED) ? last.message : `${NOT_STARTED}: ${last.message}`;
  }
  const before = `not started again within its timeout_ms after ${attempts} attempt${attempts > 1 ? 's' : ''}`;
  return last?.error_class ? `${before}: ${last.message}` : before;
}

/** A lane is one (type, priority), so that a stopped type holds nobody up. */
export interface Lane {
  type: string;
  priority: Priority;
}

/** The lane's durable consumer, and its key wherever one is needed; a type cannot end a name ambiguously. */
export function laneName(type: string, priority: number): string {
  return `${type}_${priority}`;
}

export function parseLane(name: string): Lane {
  const at = name.lastIndexOf('_');
  return { type: name.slice(0, at), priority: Number(name.slice(at + 1)) as Priority };
}

/** How a failed attempt is tried again. Backoff doubles from `base_ms`, full jitter, never above `cap_ms`. */
export const RetryPolicySchema = Type.Object(
  {
    max_attempts: Type.Integer({ minimum: 1, maximum: 100 }),
    base_ms: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
    cap_ms: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
  },
  { additionalProperties: false },
);
export type RetryPolicy = Static<typeof RetryPolicySchema>;

/** What `tps_types` holds of a signal type: written by the workers that serve it, kept when they are gone. */
export interface TypeRecord {
  v: number;
  name: string;
  /** JSON Schema of the payload, checked at the gateway before anything is accepted. */
  input_schema?: Record<string, unknown>;
  output_schema?: Record<string, unknown>;
  /** Limit of one attempt, in milliseconds. */
  timeout_ms: number;
  /** What one signal should take, in milliseconds; andon's yardstick. */
  standard_ms?: number;
  retry: RetryPolicy;
  registered_at: string;
}

/** Header of a work message that may have run before: it is looked up in the records before it runs. */
export const SUSPECT_HEADER = 'tps-suspect';
