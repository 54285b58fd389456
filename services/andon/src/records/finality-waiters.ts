/** A caller that waits until all signals in `open` have ended. */
interface Waiter {
  open: Set<string>;
  deadlineMs: number;
  leave: () => void;
}

const SWEEP_MS = 50;

/**
 * Callers that wait for signals to end. The log wakes them, so nobody polls. One timer checks all deadlines, and only
 * while somebody waits.
 */
export class FinalityWaiters {
  private readonly waiters = new Set<Waiter>();
  private readonly byId = new Map<string, Set<Waiter>>();
  private sweeper: NodeJS.Timeout | undefined;

  constructor(private readonly now: () => number = Date.now) {}

  /** Resolves when every id was settled, or at the deadline. */
  wait(ids: readonly string[], deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        open: new Set(ids),
        deadlineMs,
        leave: () => {
          this.remove(waiter);
          resolve();
        },
      };
      this.waiters.add(waiter);
      for (const id of waiter.open) {
        const others = this.byId.get(id);
        if (others) others.add(waiter);
        else this.byId.set(id, new Set([waiter]));
      }
      this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
    });
  }

  /** This signal has a final outcome. */
  settle(id: string): void {
    for (const waiter of this.byId.get(id) ?? []) {
      waiter.open.delete(id);
      if (waiter.open.size === 0) waiter.leave();
    }
    this.byId.delete(id);
  }

  sweep(): void {
    const now = this.now();
    for (const waiter of this.waiters) if (waiter.deadlineMs <= now) waiter.leave();
  }

  /** Ends all waits. */
  close(): void {
    for (const waiter of this.waiters) waiter.leave();
  }

  private remove(waiter: Waiter): void {
    this.waiters.delete(waiter);
    for (const id of waiter.open) {
      const others = this.byId.get(id);
      others?.delete(waiter);
      if (others?.size === 0) this.byId.delete(id);
    }
    if (this.waiters.size > 0) return;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }
}
