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
  /** Trace of the latest failure, and of the slowest signal. */
  failure_trace?: string;
  slowest_trace?: string;
}

interface Bucket {
  processed: number;
  failed: number;
  work: DurationBuckets;
  failure?: { atMs: number; trace: string };
  slowest?: { ms: number; trace: string };
}

/** The content of a window, as a snapshot has it. */
export interface LineWindowRecord {
  window: WindowEntry<Omit<Bucket, 'work'> & { work: ReturnType<DurationBuckets['record']> }>[];
  seconds: WindowEntry<{ finished: number }>[];
}

const emptyBucket = (): Bucket => ({ processed: 0, failed: 0, work: new DurationBuckets() });

export class LineWindow {
  private readonly window = new RollingWindow({ bucketMs: 10_000, buckets: 30, empty: emptyBucket });
  private readonly seconds = new RollingWindow({
    bucketMs: 1_000,
    buckets: 10,
    empty: () => ({ finished: 0 }),
  });

  /** Takes only what was processed: how a signal was refused or given up says nothing of the line. */
  add({ status, process_ms, trace_id }: Outcome, timeMs: number): void {
    if (status !== 'succeeded' && status !== 'failed') return;
    const bucket = this.window.at(timeMs);
    if (!bucket) return;
    const second = this.seconds.at(timeMs);
    if (second) second.finished += 1;
    bucket.processed += 1;
    bucket.work.add(process_ms);
    if (process_ms >= (bucket.slowest?.ms ?? 0)) bucket.slowest = { ms: process_ms, trace: trace_id };
    if (status !== 'failed') return;
    bucket.failed += 1;
    bucket.failure = { atMs: timeMs, trace: trace_id };
  }

  record(): LineWindowRecord {
    const window = this.window.entries().map(({ slot, bucket }) => {
      return { slot, bucket: { ...bucket, work: bucket.work.record() } };
    });
    return { window, seconds: this.seconds.entries() };
  }

  static restore({ window, seconds }: LineWindowRecord): LineWindow {
    const line = new LineWindow();
    line.window.restore(
      window.map(({ slot, bucket }) => {
        return { slot, bucket: { ...bucket, work: DurationBuckets.restore(bucket.work) } };
      }),
    );
    line.seconds.restore(seconds);
    return line;
  }

  figures(nowMs: number): LineFigures {
    const all = emptyBucket();
    for (const bucket of this.window.within(nowMs)) {
      all.processed += bucket.processed;
      all.failed += bucket.failed;
      all.work.merge(bucket.work);
      if ((bucket.slowest?.ms ?? -1) > (all.slowest?.ms ?? -1)) all.slowest = bucket.slowest!;
      if ((bucket.failure?.atMs ?? -1) > (all.failure?.atMs ?? -1)) all.failure = bucket.failure!;
    }
    const finished = this.seconds.within(nowMs).reduce((sum, second) => sum + second.finished, 0);
    return {
      processed: all.processed,
      failed: all.failed,
      error_rate: all.processed === 0 ? 0 : Math.round((1e5 * all.failed) / all.processed) / 1e3,
      p99_ms: Math.min(all.work.percentile(99), all.slowest?.ms ?? 0),
      rate_per_s: finished / 10,
      ...(all.failure ? { failure_trace: all.failure.trace } : {}),
      ...(all.slowest ? { slowest_trace: all.slowest.trace } : {}),
    };
  }
}
