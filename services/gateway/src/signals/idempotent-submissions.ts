import type { EventEmitter } from 'node:events';
import type { Outcome, Signal } from '@tps/contracts';
import type { TraceHeaders } from '@tps/telemetry';
import { ApiError } from '../problem';
import { EARLIER_UNKNOWN, type SignalSubmitter } from './signal-submitter';
import { BRIEF_LOOKUP, finalOutcome, type KnownSignal, latestRun, type SignalLookup } from './signal-lookup';
import type { OutcomeWaiter, OutcomeWaiters } from './outcome-waiters';

/** One request to have a signal done. */
export interface Submission {
  signal: Signal;
  trace: TraceHeaders;
  traceId: string;
  /** False: the caller only wants to know that it is accepted. */
  wait: boolean;
  /** Emits `close` when the caller has left. */
  caller: Pick<EventEmitter, 'once'>;
}

/** `open`: accepted, and no outcome yet that the caller would or could wait for; `later`: nor will there be one soon. */
export type Answer =
  | { kind: 'finished'; outcome: Outcome; replayed: boolean }
  | { kind: 'open'; signal: Pick<Signal, 'id' | 'signal_type'>; traceId: string; later: boolean };

/** The state of a signal when it was submitted. */
type Accepted =
  | { finished: Outcome; replayed: boolean }
  /** `replies`: its outcome is sent to this gateway. */
  | { finished?: undefined; replies: boolean; run: number; later?: boolean };

/** A signal with an `Idempotency-Key` that is being handed in here: repeats join it instead of asking around. */
interface PendingSubmission {
  hash: string | undefined;
  traceId: string;
  accepted: Promise<Accepted>;
}

/** The deadline itself brings about an outcome (expired, aborted), which should still reach the caller. */
const GRACE_MS = 100;

/** Hands signals in and waits for their outcomes. The same key means the same signal, wherever it is by now. */
export class IdempotentSubmissions {
  private readonly pending = new Map<string, PendingSubmission>();

  constructor(
    private readonly submitter: SignalSubmitter,
    private readonly lookup: SignalLookup,
    private readonly waiters: OutcomeWaiters,
  ) {}

  /** @throws ApiError when the signal is not accepted */
  async submit(submission: Submission): Promise<Answer> {
    const { signal, wait, caller } = submission;
    // Before anything is sent: the outcome may be faster than the answer that the signal is accepted.
    const deadline = Date.parse(signal.created_at) + signal.timeout_ms + GRACE_MS;
    const waiter = wait ? this.waiters.open(signal.id, deadline) : null;
    try {
      if (waiter) caller.once('close', () => waiter.end(null));
      return await this.follow(submission, waiter);
    } finally {
      waiter?.end(null);
    }
  }

  private async follow(submission: Submission, waiter: OutcomeWaiter | null): Promise<Answer> {
    const { signal } = submission;
    const pending = this.join(submission) ?? this.start(submission, waiter);
    const accepted = await (waiter ? Promise.race([pending.accepted, overtaking(waiter)]) : pending.accepted);
    if (accepted.finished) return this.finished(signal, accepted.finished, accepted.replayed);
    const later = accepted.later ?? false;
    if (waiter && !later) {
      waiter.fromRun = accepted.run;
      if (!accepted.replies) this.waiters.follow(waiter);
      const outcome = await waiter.outcome;
      if (outcome) return this.finished(signal, outcome, false);
    }
    return { kind: 'open', signal, traceId: pending.traceId, later };
  }

  private finished(signal: Signal, outcome: Outcome, replayed: boolean): Answer {
    assertSame(signal.request_hash, outcome.request_hash);
    return { kind: 'finished', outcome, replayed };
  }

  private join({ signal }: Submission): PendingSubmission | undefined {
    const pending = this.pending.get(signal.id);
    if (pending) assertSame(signal.request_hash, pending.hash);
    return pending;
  }

  private start(submission: Submission, waiter: OutcomeWaiter | null): PendingSubmission {
    const { id, request_hash: hash } = submission.signal;
    const accepted = this.accept(submission);
    // A caller that got an overtaking outcome does not look at this any more.
    accepted.catch(() => undefined);
    const pending = { hash, traceId: submission.traceId, accepted };
    if (hash !== undefined) {
      this.pending.set(id, pending);
      void Promise.allSettled([accepted, waiter?.outcome]).then(() => this.pending.delete(id));
    }
    return pending;
  }

  private async accept(submission: Submission): Promise<Accepted> {
    const { signal, trace } = submission;
    let unchecked = false;
    if (signal.request_hash !== undefined) {
      const known = await this.recall(signal).catch((error: unknown) => {
        if (!isUnavailable(error) || !this.submitter.takesUnchecked) throw error;
        unchecked = true;
        return null;
      });
      if (known) return known;
    }
    await this.submitter.admit(signal, trace);
    const { duplicate, later } = await this.submitter.enqueue(signal, trace, unchecked);
    if (!duplicate) return { replies: signal.reply_to !== undefined, run: signal.run, later };
    // Accepted before, and so recently that the records did not have it yet.
    const known = await this.recall(signal).catch((error: unknown) => {
      if (isUnavailable(error)) return null;
      throw error;
    });
    return known ?? { replies: false, run: signal.run };
  }

  private async recall(signal: Signal): Promise<Accepted | null> {
    const asking = this.submitter.backupReachable ? BRIEF_LOOKUP : undefined;
    const known = await this.lookup.signal(signal.id, asking).catch((error: unknown) => {
      throw unasked(error, signal.id);
    });
    assertSame(signal.request_hash, known.found?.signal.request_hash);
    assertSame(signal.request_hash, known.outcomes.at(-1)?.request_hash);
    return acceptedAs(known);
  }
}

function acceptedAs(known: KnownSignal): Accepted | null {
  const { outcomes, found } = known;
  const run = latestRun(known);
  const finished = finalOutcome(outcomes, run);
  if (finished) return { finished, replayed: true };
  return found || outcomes.length > 0 ? { replies: false, run } : null;
}

/** Proves by its outcome that the signal was accepted. A waiter that ends without one proves nothing. */
function overtaking(waiter: OutcomeWaiter): Promise<Accepted> {
  return new Promise((resolve) => {
    void waiter.outcome.then((finished) => {
      if (finished) resolve({ finished, replayed: false });
    });
  });
}

function isUnavailable(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === 'UNAVAILABLE';
}

/** This request was sent to nobody. Only the service that did not answer knows of an earlier one under the same key. */
function unasked(error: unknown, signal_id: string): unknown {
  if (!isUnavailable(error)) return error;
  const message = `${error.message} This request was not accepted; ${EARLIER_UNKNOWN}.`;
  return new ApiError(error.code, message, { members: { accepted: false, signal_id } });
}

function assertSame(hash: string | undefined, other: string | undefined): void {
  if (hash === undefined || other === undefined || hash === other) return;
  throw new ApiError('IDEMPOTENCY_CONFLICT', 'This Idempotency-Key came with another body before.');
}
