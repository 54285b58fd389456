import { type LoggedOutcome, RollingWindow } from '@tps/fleet';
import { round } from './capacity';

export const RECENT_WORK_MS = 300_000;
const BUCKETS = 30;

interface Work {
  ms: number;
  count: number;
}

/** The work of the last five minutes: the mean per type, and the number of signals per worker. */
export class RecentWork {
  private readonly window = new RollingWindow({
    bucketMs: RECENT_WORK_MS / BUCKETS,
    buckets: BUCKETS,
    empty: () => ({ types: new Map<string, Work>(), workers: new Map<string, Work>() }),
  });

  add({ outcome, superseded, timeMs }: LoggedOutcome): void {
    const { signal_type, worker_id, status, process_ms } = outcome;
    if (superseded || (status !== 'succeeded' && status !== 'failed')) return;
    const bucket = this.window.at(timeMs);
    if (!bucket) return;
    const work = { ms: process_ms, count: 1 };
    addWork(bucket.types, signal_type, work);
    addWork(bucket.workers, worker_id, work);
  }

  /** Mean work per type, in milliseconds: the cycle time that is compared with takt. */
  cycleMs(nowMs: number): Record<string, number> {
    const types = this.sum('types', nowMs);
    return Object.fromEntries([...types].map(([type, { ms, count }]) => [type, round(ms / count)]));
  }

  /** Finished signals per worker. */
  finished(nowMs: number): Record<string, number> {
    const workers = this.sum('workers', nowMs);
    return Object.fromEntries([...workers].map(([worker, { count }]) => [worker, count]));
  }

  private sum(by: 'types' | 'workers', nowMs: number): Map<string, Work> {
    const sums = new Map<string, Work>();
    for (const bucket of this.window.within(nowMs)) {
      for (const [key, work] of bucket[by]) addWork(sums, key, work);
    }
    return sums;
  }
}

function addWork(sums: Map<string, Work>, key: string, { ms, count }: Work): void {
  const known = sums.get(key) ?? { ms: 0, count: 0 };
  sums.set(key, { ms: known.ms + ms, count: known.count + count });
}
