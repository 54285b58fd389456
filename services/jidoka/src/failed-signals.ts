import type { Outcome } from '@tps/contracts';

/** More signals than this that failed are no cause by themselves: something that all of them need is down. */
export const MAX_UNFINISHED = 10;

/** The latest signals that failed, at most one more than `MAX_UNFINISHED`. */
export class FailedSignals {
  /** By id, the latest last. */
  private readonly signals = new Map<string, { atMs: number; final: boolean }>();

  add({ signal_id, final }: Pick<Outcome, 'signal_id' | 'final'>, atMs: number): void {
    this.signals.delete(signal_id);
    this.signals.set(signal_id, { atMs, final });
    const [oldest] = this.signals.keys();
    if (this.signals.size > MAX_UNFINISHED + 1 && oldest !== undefined) this.signals.delete(oldest);
  }

  /** The run of this signal has ended. */
  finish(id: string): void {
    const known = this.signals.get(id);
    if (known) known.final = true;
  }

  /** Number of distinct signals that failed after `sinceMs`, counted up to one more than `MAX_UNFINISHED`. */
  count(sinceMs = -Infinity): number {
    let count = 0;
    for (const { atMs } of this.signals.values()) if (atMs > sinceMs) count += 1;
    return count;
  }

  /** The signals that failed after `sinceMs` and have attempts left. Empty when too many failed to be the cause. */
  unfinished(sinceMs = -Infinity): string[] {
    if (this.count(sinceMs) > MAX_UNFINISHED) return [];
    return [...this.signals].flatMap(([id, { atMs, final }]) => (atMs > sinceMs && !final ? id : []));
  }

  clear(): void {
    this.signals.clear();
  }
}
