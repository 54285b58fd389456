import { RollingWindow } from '@tps/fleet';

const BUCKET_MS = 10_000;
const BUCKETS = 30;

/**
 * Counts the signals that this gateway refused in the last five minutes, by type: their line was stopped, or the queue
 * took none. Unknown types are refused earlier, so the number of types is bounded. A restart forgets the counts.
 */
export class Refusals {
  private readonly window = new RollingWindow({
    bucketMs: BUCKET_MS,
    buckets: BUCKETS,
    empty: () => new Map<string, number>(),
  });

  add(type: string, nowMs: number): void {
    const bucket = this.window.at(nowMs);
    bucket?.set(type, (bucket.get(type) ?? 0) + 1);
  }

  /** Types without a refusal are absent. */
  counts(nowMs: number): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const bucket of this.window.within(nowMs)) {
      for (const [type, count] of bucket) counts[type] = (counts[type] ?? 0) + count;
    }
    return counts;
  }
}
