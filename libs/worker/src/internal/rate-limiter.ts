/** A start that was late, because of a timer or a slot, is made up for within this time. */
const CATCH_UP_MS = 20;

/** Spaces the starts of a type evenly: at most `perS` in any second, as far apart as possible. Pure. */
export class RateLimiter {
  private readonly intervalMs: number;

  /** @param nextMs the earliest next start */
  constructor(
    readonly perS: number,
    public nextMs: number,
  ) {
    this.intervalMs = 1_000 / perS;
  }

  /** How many signals may start now. */
  ready(nowMs: number): number {
    if (nowMs < this.nextMs) return 0;
    return 1 + Math.floor(Math.min(nowMs - this.nextMs, CATCH_UP_MS) / this.intervalMs);
  }

  take(nowMs: number): void {
    this.nextMs = Math.max(this.nextMs, nowMs - CATCH_UP_MS) + this.intervalMs;
  }

  /** A start that was taken did not happen. */
  refund(): void {
    this.nextMs -= this.intervalMs;
  }

  /** Continues where another worker left off. Its clock may differ, but it cannot be more than one start ahead. */
  resume(nextMs: number, nowMs: number): void {
    this.nextMs = Math.min(nextMs, nowMs + this.intervalMs);
  }
}
