import { type LoggedOutcome, RollingWindow } from '@tps/service';
import { CYCLE_WINDOW_MS } from './cycle-times';

const BUCKETS = 30;

/** How much of the work of the last five minutes each worker did. */
export class WorkShares {
  private readonly window = new RollingWindow({
    bucketMs: CYCLE_WINDOW_MS / BUCKETS,
    buckets: BUCKETS,
    empty: () => new Map<string, number>(),
  });

  take({ outcome, superseded, timeMs }: LoggedOutcome): void {
    const { worker_id, status } = outcome;
    if (superseded || (status !== 'succeeded' && status !== 'failed')) return;
    const bucket = this.window.at(timeMs);
    bucket?.set(worker_id, (bucket.get(worker_id) ?? 0) + 1);
  }

  counts(nowMs: number): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const bucket of this.window.within(nowMs)) {
      for (const [worker, count] of bucket) counts[worker] = (counts[worker] ?? 0) + count;
    }
    return counts;
  }
}
