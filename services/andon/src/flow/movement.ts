/** One look at a line. */
export interface Look {
  /** Something waits or is in progress, and the line is not stopped. */
  works: boolean;
  /** When a signal of the type was last started. */
  startedMs: number;
}

/** Heartbeats are a second old on average when they say that there is no work. */
const BEAT_MS = 1_000;

/** Knows how long nothing of a line was started or finished while there was work. */
export class Movement {
  private movedMs = 0;

  /** A signal of the line was finished, or an attempt of it. */
  finished(atMs: number): void {
    this.movedMs = Math.max(this.movedMs, atMs);
  }

  /** @returns how long the line has stood still, in milliseconds; 0 without work */
  look({ works, startedMs }: Look, nowMs: number): number {
    // The first look of a process that has just started says nothing of the time before.
    if (!works || this.movedMs === 0) this.movedMs = Math.max(this.movedMs, nowMs - BEAT_MS);
    this.movedMs = Math.max(this.movedMs, startedMs);
    return works ? Math.max(0, nowMs - this.movedMs) : 0;
  }
}
