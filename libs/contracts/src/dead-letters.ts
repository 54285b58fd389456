import type { EnqueueVerdict } from './messages';
import type { ErrorClass, Outcome, Priority, Signal } from './signal';
import { WIRE_VERSION } from './fleet';

/** What a message of the stream DEAD holds: a signal that failed or expired, with the outcome that ended it. */
export interface DeadLetter {
  v: number;
  signal: Signal;
  outcome: Outcome;
}

/** A message of a lane that no worker could read, kept as it came. */
export interface InvalidLetter {
  v: number;
  invalid: true;
  /** Where it was in the queue. */
  subject: string;
  /** Base64. */
  data: string;
  /** What is wrong with it. */
  reason?: string;
}

/**
 * @param seq its sequence in the stream: whoever takes it out, and should two do so at once, it is one letter
 */
export function invalidLetter(
  subject: string,
  seq: number,
  data: Uint8Array,
): { letter: InvalidLetter; headers: [string, string][] } {
  return {
    letter: { v: WIRE_VERSION, invalid: true, subject, data: Buffer.from(data).toString('base64') },
    headers: [
      ['Nats-Msg-Id', `dead:${subject}:${seq}`],
      [LETTER_HEADERS.id, subject.split('.').at(-1) ?? ''],
      [LETTER_HEADERS.status, 'invalid'],
    ],
  };
}

/** What a letter's headers say of it, so that letters are listed and filtered without reading them. */
export const LETTER_HEADERS = {
  id: 'tps-signal',
  run: 'tps-run',
  status: 'tps-status',
  errorClass: 'tps-error-class',
  fingerprint: 'tps-fingerprint',
} as const;

export function letterHeaders({
  signal_id,
  run,
  status,
  error_class,
  fingerprint,
}: Outcome): [string, string][] {
  const entries: [string, string][] = [
    ['Nats-Msg-Id', `dead:${signal_id}:${run}`],
    [LETTER_HEADERS.id, signal_id],
    [LETTER_HEADERS.run, String(run)],
    [LETTER_HEADERS.status, status],
  ];
  if (error_class) entries.push([LETTER_HEADERS.errorClass, error_class]);
  if (fingerprint) entries.push([LETTER_HEADERS.fingerprint, fingerprint]);
  return entries;
}

export const LETTER_STATUSES = ['failed', 'expired', 'invalid'] as const;
export type LetterStatus = (typeof LETTER_STATUSES)[number];

/** Which letters are meant: those that fit all that is given. */
export interface LetterFilter {
  type?: string;
  status?: LetterStatus;
  class?: ErrorClass;
  fingerprint?: string;
  /** Became a letter at this time or later, before this time; ISO 8601. */
  since?: string;
  until?: string;
  ids?: string[];
}
export const LETTERS_MAX_IDS = 1_000;

/** One letter as it is listed. */
export interface LetterSummary {
  signal_id: string;
  run: number;
  signal_type: string;
  status: LetterStatus;
  /** When it became a letter. */
  dead_at: string;
  priority?: Priority;
  error_class?: ErrorClass;
  fingerprint?: string;
  message?: string;
  attempt?: number;
  trace_id?: string;
  enqueued_at?: string;
}

/** One letter, whole. `payload` is missing, and `data` there, when it was no signal. */
export interface LetterView extends LetterSummary {
  payload?: Record<string, unknown>;
  timeout_ms?: number;
  created_at?: string;
  outcome?: Outcome;
  data?: string;
  /** `traceparent` of the work that failed: a new run is linked to it. */
  traceparent?: string;
}

export interface LettersRequest {
  filter: LetterFilter;
  limit: number;
  /** As it was given by the page before. */
  cursor?: string;
}
/** Newest first. */
export interface LettersReply {
  items: LetterSummary[];
  next: string | null;
  /** Letters that fit the filter. */
  total: number;
}
export const LETTERS_MAX_LIMIT = 200;

export interface LetterRequest {
  id: string;
}
export interface LetterReply {
  letter: LetterView | null;
}

export interface PurgeRequest {
  filter: LetterFilter;
}
export interface PurgeReply {
  deleted: number;
  /** Those that fit and are still there, because deleting took too long: ask again. */
  remaining: number;
}

/** gateway -> kanban: run the signal of this letter again, at once. */
export interface RetryRequest {
  id: string;
  /** Subject on which a caller waits for the outcome of the new run. */
  reply_to?: string;
}
export type RetryReply =
  | {
      queued: true;
      signal_type: string;
      run: number;
      timeout_ms: number;
      created_at: string;
      duplicate: boolean;
    }
  | { queued: false; reason: 'no_letter' | 'unfinished' | 'overtaken' | 'invalid' }
  | { queued: false; reason: 'refused'; verdict: EnqueueVerdict & { ok: false } };

export interface RedriveOrder {
  filter: LetterFilter;
  /** Sizes of the groups that go first; the rest follows only when each of a group has succeeded. */
  probe: number[];
  max_per_s: number;
}

export const REDRIVE_STATES = ['running', 'completed', 'stopped', 'cancelled'] as const;
export type RedriveState = (typeof REDRIVE_STATES)[number];

/** A redrive as `tps_redrives` holds it: enough for another replica to go on with it. */
export interface Redrive extends RedriveOrder {
  v: number;
  id: string;
  state: RedriveState;
  /** Letters of the stream up to here are meant: a signal that fails again is not taken up again. */
  up_to_seq: number;
  /** Index of the probe group under way; all of them are through when it is their number. */
  phase: number;
  /** The runs of the group under way. */
  probing: { id: string; run: number; type: string }[];
  /** Letters that fitted at the start. */
  matched: number;
  /** New runs that were queued. */
  redriven: number;
  /** Probes that succeeded. */
  probes_succeeded: number;
  /** Letters that needed no new run: it was there already, or they were no signals. */
  skipped: number;
  /** Why it did not go on, and where. */
  stopped?: RedriveStop;
  created_at: string;
  updated_at: string;
  finished_at?: string;
  /** Who works on it, and until when others leave it alone. */
  owner: string;
  lease_until: string;
}

export interface RedriveStop {
  /** `probe 2 of 2`, or `rest`. */
  at: string;
  reason: string;
  signal_id?: string;
  run?: number;
  status?: string;
  error_class?: ErrorClass;
  message?: string;
  trace_id?: string;
}

export interface RedriveStart extends RedriveOrder {
  id: string;
  /** Only count what it would take. */
  dry_run?: boolean;
}
export type RedriveStarted =
  | { redrive: Redrive }
  | { dry_run: true; matched: number; types: Record<string, number> }
  | { refused: string };

export interface RedriveRequest {
  id: string;
  /** Hold the answer until it has ended, at most this long. */
  wait_ms?: number;
  /** End it: letters that it has not taken stay. */
  cancel?: boolean;
}
export interface RedriveReply {
  redrive: Redrive | null;
}
export interface RedrivesReply {
  redrives: Redrive[];
}
