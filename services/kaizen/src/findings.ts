import type { Outcome } from '@tps/contracts';
import { type LoggedOutcome, RollingWindow } from '@tps/service';

const WINDOW = { bucketMs: 300_000, buckets: 12 };
export const FINDINGS_WINDOW_MS = WINDOW.bucketMs * WINDOW.buckets;
/** Types beyond this, and causes beyond that, are left out of a bucket: what matters is frequent and comes early. */
const MAX_TYPES = 256;
const MAX_CAUSES = 20;

/** Equal failures. */
export interface Cause {
  count: number;
  message: string;
  trace_id: string;
}

/** What was lost on one type. */
export class Losses {
  processed = 0;
  failed = 0;
  rejected = 0;
  expired = 0;
  retried = 0;
  workMs = 0;
  waitMs = 0;
  /** Work of attempts that failed and were tried again. */
  reworkMs = 0;
  longestWait: { ms: number; trace_id: string } | undefined;
  /** By fingerprint, or by class where there is none. */
  readonly causes = { failed: new Map<string, Cause>(), rejected: new Map<string, Cause>() };

  add(outcome: Outcome): void {
    const { status, process_ms, wait_ms, trace_id } = outcome;
    if (status === 'succeeded' || status === 'failed') {
      this.processed += 1;
      this.workMs += process_ms;
      this.waitMs += wait_ms;
      if (wait_ms > (this.longestWait?.ms ?? 0)) this.longestWait = { ms: wait_ms, trace_id };
    }
    if (status === 'retrying') {
      this.retried += 1;
      this.reworkMs += process_ms;
    }
    if (status === 'failed' || status === 'rejected' || status === 'expired') this[status] += 1;
    if (status !== 'failed' && status !== 'rejected') return;
    const key = outcome.fingerprint ?? outcome.error_class ?? status;
    note(this.causes[status], key, { count: 1, message: outcome.message, trace_id });
  }

  merge(other: Losses): void {
    for (const figure of FIGURES) this[figure] += other[figure];
    if ((other.longestWait?.ms ?? 0) > (this.longestWait?.ms ?? 0)) this.longestWait = other.longestWait;
    for (const status of ['failed', 'rejected'] as const) {
      for (const [key, cause] of other.causes[status]) note(this.causes[status], key, cause);
    }
  }
}

const FIGURES = [
  'processed',
  'failed',
  'rejected',
  'expired',
  'retried',
  'workMs',
  'waitMs',
  'reworkMs',
] as const;

function note(causes: Map<string, Cause>, key: string, cause: Cause): void {
  const known = causes.get(key);
  if (known) causes.set(key, { ...cause, count: known.count + cause.count });
  else if (causes.size < MAX_CAUSES) causes.set(key, cause);
}

/** What was lost in the last hour, by type: a projection of the log, so every replica finds the same. */
export class Findings {
  private readonly window = new RollingWindow({ ...WINDOW, empty: () => new Map<string, Losses>() });

  add({ outcome, superseded, timeMs }: LoggedOutcome): void {
    const bucket = superseded ? undefined : this.window.at(timeMs);
    if (!bucket) return;
    const losses = bucket.get(outcome.signal_type) ?? new Losses();
    if (!bucket.has(outcome.signal_type) && bucket.size >= MAX_TYPES) return;
    bucket.set(outcome.signal_type, losses);
    losses.add(outcome);
  }

  of(nowMs: number): Map<string, Losses> {
    const all = new Map<string, Losses>();
    for (const bucket of this.window.within(nowMs)) {
      for (const [type, losses] of bucket) {
        const sum = all.get(type) ?? new Losses();
        all.set(type, sum);
        sum.merge(losses);
      }
    }
    return all;
  }
}
