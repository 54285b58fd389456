import type { EventEmitter } from 'node:events';
import { finalOutcome, type Outcome, type Signal } from '@tps/contracts';
import type { TraceHeaders } from '@tps/telemetry';
import { ApiError } from '../problem';
import type { SignalSubmitter } from './signal-submitter';
import { BRIEF_LOOKUP, type KnownSignal, latestRun, type SignalLookup } from './signal-lookup';
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

/** `replayed`: its outcome is from the records. */
interface Finished {
  finished: Outcome;
  replayed: boolean;
}

/** The state of a signal when it was submitted. */
type Accepted =
  | Finished
  /** `replies`: its outcome is sent to this gateway. */
  | { finished?: undefined; replies: boolean; run: number; later?: boolean };

/** What the records and the queue told about an earlier request. `unchecked`: they did not answer. */
type Earlier = Accepted | 'new' | 'unchecked';

/** A signal with an `Idempotency-Key` that is being handed in here: repeats join it instead of asking around. */
interface PendingSubmission {
  hash: string | undefined;
  traceId: string;
  earlier: Earlier | Promise<Earlier>;
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
    if (accepted.finished) return this.finished(signal, accepted, pending);
    const later = accepted.later ?? false;
    if (waiter && !later) {
      waiter.fromRun = accepted.run;
      if (!accepted.replies) this.waiters.follow(waiter);
      const outcome = await waiter.outcome;
      if (outcome) return this.finished(signal, { finished: outcome, replayed: false }, pending);
    }
    return { kind: 'open', signal, traceId: pending.traceId, later };
  }

  private async finished(
    signal: Signal,
    { finished: outcome, replayed }: Finished,
    { earlier }: PendingSubmission,
  ): Promise<Answer> {
    assertSame(signal.request_hash, outcome.request_hash);
    // The signal had ended before this request came: the worker has looked it up in the records instead of running it.
    const isLookedUp = (await earlier) === 'unchecked' && outcome.finished_at < signal.created_at;
    return { kind: 'finished', outcome, replayed: replayed || isLookedUp };
  }

  private join({ signal }: Submission): PendingSubmission | undefined {
    const pending = this.pending.get(signal.id);
    if (pending) assertSame(signal.request_hash, pending.hash);
    return pending;
  }

  private start(submission: Submission, waiter: OutcomeWaiter | null): PendingSubmission {
    const { signal } = submission;
    const { id, request_hash: hash } = signal;
    const earlier: PendingSubmission['earlier'] = hash === undefined ? 'new' : this.recall(signal);
    const accepted = this.accept(submission, earlier);
    // A caller that got an overtaking outcome does not look at this any more.
    accepted.catch(() => undefined);
    const pending: PendingSubmission = { hash, traceId: submission.traceId, earlier, accepted };
    if (hash !== undefined) {
      this.pending.set(id, pending);
      void Promise.allSettled([accepted, waiter?.outcome]).then(() => this.pending.delete(id));
    }
    return pending;
  }

  private async accept(
    { signal, trace }: Submission,
    earlier: PendingSubmission['earlier'],
  ): Promise<Accepted> {
    const before = await earlier;
    if (typeof before === 'object') return before;
    await this.submitter.admit(signal, trace);
    const { duplicate, later } = await this.submitter.enqueue(signal, trace, before === 'unchecked');
    if (!duplicate) return { replies: signal.reply_to !== undefined, run: signal.run, later };
    // Accepted before, and so recently that the records did not have it yet.
    const known = await this.recall(signal);
    return typeof known === 'object' ? known : { replies: false, run: signal.run };
  }

  private async recall(signal: Signal): Promise<Earlier> {
    try {
      const known = await this.lookup.signal(signal.id, BRIEF_LOOKUP);
      assertSame(signal.request_hash, known.found?.signal.request_hash);
      assertSame(signal.request_hash, known.outcomes.at(-1)?.request_hash);
      return acceptedAs(known) ?? 'new';
    } catch (error) {
      if (error instanceof ApiError && error.code === 'UNAVAILABLE') return 'unchecked';
      throw error;
    }
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

function assertSame(hash: string | undefined, other: string | undefined): void {
  if (hash === undefined || other === undefined || hash === other) return;
  throw new ApiError('IDEMPOTENCY_CONFLICT', 'This Idempotency-Key came with another body before.');
}
