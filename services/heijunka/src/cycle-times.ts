import { type LoggedOutcome, RollingWindow } from '@tps/service';
import { round } from './capacity';

export const CYCLE_WINDOW_MS = 300_000;
const BUCKETS = 30;

/** Mean work per type over the last five minutes: the cycle time that is held against takt. */
export class CycleTimes {
  private readonly window = new RollingWindow({
    bucketMs: CYCLE_WINDOW_MS / BUCKETS,
    buckets: BUCKETS,
    empty: () => new Map<string, { ms: number; count: number }>(),
  });

  take({ outcome, superseded, timeMs }: LoggedOutcome): void {
    const { signal_type, status, process_ms } = outcome;
    if (superseded || (status !== 'succeeded' && status !== 'failed')) return;
    const bucket = this.window.at(timeMs);
    const work = bucket?.get(signal_type) ?? { ms: 0, count: 0 };
    bucket?.set(signal_type, { ms: work.ms + process_ms, count: work.count + 1 });
  }

  means(nowMs: number): Record<string, number> {
    const sums = new Map<string, { ms: number; count: number }>();
    for (const bucket of this.window.within(nowMs)) {
      for (const [type, { ms, count }] of bucket) {
        const known = sums.get(type) ?? { ms: 0, count: 0 };
        sums.set(type, { ms: known.ms + ms, count: known.count + count });
      }
    }
    return Object.fromEntries([...sums].map(([type, { ms, count }]) => [type, round(ms / count)]));
  }
}
