import type { Outcome } from '@tps/contracts';
import { RollingWindow, type WindowEntry } from '@tps/fleet';
import { DurationBuckets } from './duration-buckets';

/** The last five minutes of a line. */
export interface LineFigures {
  processed: number;
  failed: number;
  /** Percent. */
  error_rate: number;
  p99_ms: number;
  /** Finished per second, over the last ten. */
  rate_per_s: number;
  /** The best rate of the last 2 to 10 s: how fast the line works when it has work. Undefined while too few finished. */
  pace_per_s?: number;
  /** 95th percentile of the wait, expired signals included. */
  wait_p95_ms: number;
  expired: number;
  /** Failed because the sender's own deadline cut the handler off. */
  cut_off: number;
  rejected: number;
  cancelled: number;
  /** Trace of the latest failure, and of the slowest signal. */
  failure_trace?: string;
  slowest_trace?: string;
}

interface Bucket {
  processed: number;
  failed: number;
  expired: number;
  cut_off: number;
  rejected: number;
  cancelled: number;
  work: DurationBuckets;
  wait: DurationBuckets;
  failure?: { atMs: number; trace: string };
  slowest?: { ms: number; trace: string };
}

type Durations = ReturnType<DurationBuckets['record']>;
/** The content of a window, as a snapshot has it. */
export interface LineWindowRecord {
  window: WindowEntry<Omit<Bucket, 'work' | 'wait'> & { work: Durations; wait?: Durations }>[];
  seconds: WindowEntry<{ finished: number }>[];
}

const COUNTS = ['processed', 'failed', 'expired', 'cut_off', 'rejected', 'cancelled'] as const;
const emptyBucket = (): Bucket => ({
  ...{ processed: 0, failed: 0, expired: 0, cut_off: 0, rejected: 0, cancelled: 0 },
  work: new DurationBuckets(),
  wait: new DurationBuckets(),
});
/** A pace needs so many signals, over so long. */
const PACE = { signals: 5, seconds: 2 };

export class LineWindow {
  private readonly window = new RollingWindow({ bucketMs: 10_000, buckets: 30, empty: emptyBucket });
  private readonly seconds = new RollingWindow({
    bucketMs: 1_000,
    buckets: 10,
    empty: () => ({ finished: 0 }),
  });

  /** Rates and the percentile of the work take only what was processed. */
  add({ status, error_class, process_ms, wait_ms, trace_id }: Outcome, timeMs: number): void {
    const bucket = this.window.at(timeMs);
    if (!bucket) return;
    if (status === 'expired' || status === 'rejected' || status === 'cancelled') bucket[status] += 1;
    if (status === 'expired') bucket.wait.add(wait_ms);
    if (status !== 'succeeded' && status !== 'failed') return;
    bucket.wait.add(wait_ms);
    const second = this.seconds.at(timeMs);
    if (second) second.finished += 1;
    bucket.processed += 1;
    bucket.work.add(process_ms);
    if (process_ms >= (bucket.slowest?.ms ?? 0)) bucket.slowest = { ms: process_ms, trace: trace_id };
    if (status !== 'failed') return;
    bucket.failed += 1;
    if (error_class === 'capacity') bucket.cut_off += 1;
    bucket.failure = { atMs: timeMs, trace: trace_id };
  }

  record(): LineWindowRecord {
    const window = this.window.entries().map(({ slot, bucket }) => {
      return { slot, bucket: { ...bucket, work: bucket.work.record(), wait: bucket.wait.record() } };
    });
    return { window, seconds: this.seconds.entries() };
  }

  static restore({ window, seconds }: LineWindowRecord): LineWindow {
    const line = new LineWindow();
    line.window.restore(
      window.map(({ slot, bucket }) => {
        const [work, wait] = [bucket.work, bucket.wait ?? []].map((steps) => DurationBuckets.restore(steps));
        // The version before did not count what was given up.
        return { slot, bucket: { ...emptyBucket(), ...bucket, work: work!, wait: wait! } };
      }),
    );
    line.seconds.restore(seconds);
    return line;
  }

  figures(nowMs: number): LineFigures {
    const all = emptyBucket();
    for (const bucket of this.window.within(nowMs)) {
      for (const count of COUNTS) all[count] += bucket[count];
      all.work.merge(bucket.work);
      all.wait.merge(bucket.wait);
      if ((bucket.slowest?.ms ?? -1) > (all.slowest?.ms ?? -1)) all.slowest = bucket.slowest!;
      if ((bucket.failure?.atMs ?? -1) > (all.failure?.atMs ?? -1)) all.failure = bucket.failure!;
    }
    const { work, wait, failure, slowest, ...counts } = all;
    const { finished, pace_per_s } = this.rates(nowMs);
    return {
      ...counts,
      error_rate: all.processed === 0 ? 0 : Math.round((1e5 * all.failed) / all.processed) / 1e3,
      p99_ms: Math.min(work.percentile(99), slowest?.ms ?? 0),
      wait_p95_ms: wait.percentile(95),
      rate_per_s: finished / 10,
      ...(pace_per_s === undefined ? {} : { pace_per_s }),
      ...(failure ? { failure_trace: failure.trace } : {}),
      ...(slowest ? { slowest_trace: slowest.trace } : {}),
    };
  }

  /** Nothing ended in the last five minutes. */
  isOver(nowMs: number): boolean {
    return this.window.within(nowMs).length === 0;
  }

  private rates(nowMs: number): { finished: number; pace_per_s?: number } {
    const seconds = this.seconds.entriesWithin(nowMs);
    let finished = 0;
    let pace_per_s = 0;
    for (const { slot, bucket } of seconds.sort((a, b) => b.slot - a.slot)) {
      finished += bucket.finished;
      const covered = nowMs / 1_000 - slot;
      if (covered >= PACE.seconds) pace_per_s = Math.max(pace_per_s, finished / covered);
    }
    return finished < PACE.signals || pace_per_s === 0 ? { finished } : { finished, pace_per_s };
  }
}
