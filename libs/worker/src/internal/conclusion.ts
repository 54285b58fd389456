import {
  backoffMs,
  type ErrorClass,
  HANDED_BACK,
  lateEnd,
  type Outcome,
  outcomeBase,
  type OutcomeStatus,
  vanishedEnd,
} from '@tps/contracts';
import type { AttemptResult } from './attempt';
import { type InFlightSignal, traceIdOf } from './in-flight-signal';

/** The decision about a signal after an attempt. */
export interface Conclusion {
  status: OutcomeStatus;
  final: boolean;
  success: boolean;
  /** Attempts used up, including this one if it counts. */
  attempt: number;
  /** Failed trials that used up no attempt, including this one if it is one. */
  trials?: number;
  message: string;
  /** The backoff before the next attempt, if it is not final. */
  retryMs: number;
  errorClass?: ErrorClass;
  fingerprint?: string;
  dependency?: string;
  result?: unknown;
  /** The result as JSON. */
  json?: string;
  stack?: string;
}

/** The facts by which an attempt is concluded. */
export interface AttemptFacts {
  inFlight: InFlightSignal;
  /** Null if it did not run, because it was too late or its attempts were used up. */
  result: AttemptResult | null;
  /** It was the trial, and by its end another signal was the trial or had decided. */
  overtaken?: boolean;
  nowMs: number;
  random?: () => number;
}

const AFTER_FAILED_TRIAL_MS = 3_000;
/** Failed trials of a run that use up no attempt. Without a limit, a signal that always fails would stay for ever. */
const FREE_TRIALS = 3;

/** Decides what becomes of a signal after an attempt. Pure: clock and chance are handed in. */
export function conclude(facts: AttemptFacts): Conclusion {
  const { inFlight, result } = facts;
  const { definition, attempt } = inFlight;
  if (!result) return notRun(facts);
  if (result.ok) {
    const message = definition.success ?? `${definition.name} done`;
    const done: Conclusion = {
      status: 'succeeded',
      final: true,
      success: true,
      attempt,
      message,
      retryMs: 0,
      result: result.result,
    };
    if (result.json) done.json = result.json;
    return done;
  }
  const { errorClass, message, fingerprint, stack, dependency } = result;
  const failure: Failure = { success: false, message, errorClass, fingerprint };
  if (stack) failure.stack = stack;
  if (dependency !== undefined) failure.dependency = dependency;
  if (errorClass === 'transient') return afterTransient(facts, failure, result.retryAfterMs ?? 0);
  const status = errorClass === 'rejected' ? 'rejected' : 'failed';
  return { ...failure, status, final: true, attempt, retryMs: 0 };
}

type Failure = Pick<
  Conclusion,
  'success' | 'message' | 'errorClass' | 'fingerprint' | 'stack' | 'dependency'
>;

function afterTransient(facts: AttemptFacts, failure: Failure, retryAfterMs: number): Conclusion {
  const { inFlight, nowMs } = facts;
  const { definition, attempt, deadlineMs } = inFlight;
  const isTrial = inFlight.epoch !== undefined;
  const atLeastMs = isTrial ? AFTER_FAILED_TRIAL_MS : 0;
  const trials = (inFlight.last?.trials ?? 0) + 1;
  if (isTrial && isFreeTrial(facts, trials)) {
    const retryMs = Math.max(atLeastMs, retryAfterMs);
    return { ...failure, status: 'retrying', final: false, attempt: attempt - 1, trials, retryMs };
  }
  const retryMs = Math.max(atLeastMs, backoff(facts) + retryAfterMs);
  const left = attempt < definition.retry.max_attempts;
  if (left && nowMs + retryMs < deadlineMs) {
    return { ...failure, status: 'retrying', final: false, attempt, retryMs };
  }
  const { message } = failure;
  const why = left && retryAfterMs ? `${message}; the signal's timeout_ms ends before that` : message;
  return { ...failure, message: why, status: 'failed', final: true, attempt, retryMs: 0 };
}

/**
 * A type with a backoff of its own, and a sender who waits, get the policy as it is. Otherwise the backoff is seconds to
 * minutes long, but at most half of the remaining time, so that all attempts fit before a short deadline.
 */
function backoff({ inFlight, nowMs, random = Math.random }: AttemptFacts): number {
  const { definition, signal, attempt, deadlineMs } = inFlight;
  const { retry, asyncRetry } = definition;
  if (!asyncRetry || signal.reply_to !== undefined) return backoffMs(retry, attempt, random());
  return Math.min(backoffMs(asyncRetry, attempt, random()), Math.max(0, deadlineMs - nowMs) / 2);
}

/**
 * Tells whether a failed trial uses up no attempt, because the line may be at fault and not the signal. A signal that
 * failed before is charged if signals that never failed can be tried instead, or if its free trials are used up.
 */
function isFreeTrial({ inFlight, overtaken }: AttemptFacts, trials: number): boolean {
  const { failedBefore, info } = inFlight;
  // Pending messages of a lane were never delivered, so their signals never failed.
  const othersWait = info.pending > 0 || overtaken;
  return trials <= FREE_TRIALS && !(failedBefore && othersWait);
}

/** The failure that ended this run in an earlier delivery whose dead letter could not be kept. */
function earlierFailure({ last, definition }: InFlightSignal): Outcome | undefined {
  if (!last?.error_class) return undefined;
  // A failed trial that another attempt follows never uses up the last attempt.
  const isEnd = last.attempt >= definition.retry.max_attempts || last.error_class !== 'transient';
  return isEnd ? last : undefined;
}

/** Tells whether the run ends without another attempt: it is too late, or its attempts are used up. */
export function isRunOver(inFlight: InFlightSignal, nowMs: number): boolean {
  const { attempt, deadlineMs, definition } = inFlight;
  return (
    nowMs >= deadlineMs || attempt > definition.retry.max_attempts || earlierFailure(inFlight) !== undefined
  );
}

/** Attempts that are used up decide first, then the deadline. */
function notRun({ inFlight }: AttemptFacts): Conclusion {
  const { definition, attempt, last } = inFlight;
  const used = attempt - 1;
  const none = { final: true, success: false, retryMs: 0, attempt: used };
  const before = earlierFailure(inFlight);
  if (before) {
    const { error_class: errorClass = 'transient', fingerprint = '', message } = before;
    return { ...none, status: 'failed', attempt: before.attempt, errorClass, fingerprint, message };
  }
  if (used >= definition.retry.max_attempts) {
    return { ...none, status: 'failed', errorClass: 'defect', ...vanishedEnd(definition.name, used, last) };
  }
  const { error_class: errorClass = 'capacity', ...end } = lateEnd(definition.name, used, last);
  return { ...none, errorClass, ...end };
}

/** Concludes an attempt that the worker failed to account for, or a run that faults of the worker keep from starting. */
export function faulty(type: string, attempt: number, message: string): Conclusion {
  return {
    status: 'failed',
    final: true,
    success: false,
    attempt,
    message,
    retryMs: 0,
    errorClass: 'defect',
    fingerprint: `fault:${type}`,
  };
}

export function outcomeOf(conclusion: Conclusion, inFlight: InFlightSignal, workerId: string): Outcome {
  const { status, final, success, attempt, message, errorClass, fingerprint, dependency, result } =
    conclusion;
  const { startedMs = Date.now(), processMs = 0 } = inFlight;
  const outcome = baseOf(inFlight, workerId) as Outcome;
  outcome.status = status;
  outcome.final = final;
  outcome.attempt = attempt;
  outcome.success = success;
  outcome.message = message;
  if (errorClass) outcome.error_class = errorClass;
  if (fingerprint) outcome.fingerprint = fingerprint;
  if (dependency !== undefined) outcome.dependency = dependency;
  const trials = conclusion.trials ?? inFlight.last?.trials;
  if (trials) outcome.trials = trials;
  outcome.started_at = isoTime(startedMs);
  outcome.finished_at = isoTime(Math.round(startedMs + processMs));
  // The broker's clock may be ahead of this one.
  outcome.wait_ms = Math.max(0, startedMs - inFlight.info.storedAtMs);
  outcome.process_ms = Math.round(processMs * 1000) / 1000;
  outcome.trace_id = traceIdOf(inFlight);
  outcome.level = {
    lane: inFlight.lane,
    place: inFlight.place,
    card_wait_ms: Math.max(0, startedMs - inFlight.plannedMs),
  };
  // If the result is there as JSON, it is inserted when the outcome is encoded.
  if (result !== undefined && conclusion.json === undefined) outcome.result = result;
  return outcome;
}

interface Release {
  workerId: string;
  /** Attempts used up before this delivery. */
  used: number;
  /** The record before, whose failure this one must not hide. */
  last?: Outcome | undefined;
  /** The fault in the worker that kept the signal from starting. */
  fault?: string;
}

/** The record of a release: this delivery was no attempt. */
export function releasedOutcome(inFlight: InFlightSignal, { workerId, used, last, fault }: Release): Outcome {
  const { error_class: errorClass, fingerprint, message: before, faults = 0 } = last ?? {};
  const message = (errorClass && before) ?? fault ?? inFlight.noRoom ?? HANDED_BACK;
  const released: Conclusion = {
    ...{ status: 'returned', final: false, success: false, attempt: used, message, retryMs: 0 },
    ...(errorClass ? { errorClass } : {}),
    ...(errorClass && fingerprint ? { fingerprint } : {}),
  };
  const now = { ...inFlight, last, startedMs: Date.now(), processMs: 0 };
  const { level: _, ...outcome } = outcomeOf(released, now, workerId);
  const count = faults + (fault === undefined ? 0 : 1);
  return count > 0 ? { ...outcome, faults: count } : outcome;
}

function baseOf({ signal, info, epoch }: InFlightSignal, workerId: string): ReturnType<typeof outcomeBase> {
  const base = outcomeBase(signal, workerId, isoTime(info.storedAtMs));
  base.delivery = info.deliveries;
  if (epoch !== undefined) base.epoch = epoch;
  return base;
}

const TIMES = new Map<number, string>();
const MAX_TIMES = 256;

/** Formats milliseconds since 1970 as ISO 8601 UTC. Cached, because many outcomes share a millisecond under load. */
function isoTime(ms: number): string {
  const known = TIMES.get(ms);
  if (known !== undefined) return known;
  if (TIMES.size >= MAX_TIMES) TIMES.clear();
  const text = new Date(ms).toISOString();
  TIMES.set(ms, text);
  return text;
}
