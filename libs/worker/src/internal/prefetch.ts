/** How much work a worker may fetch ahead, in milliseconds of its own work. */
export const PREFETCH_MS = 50;
const MAX_PREFETCH = 256;
const SMOOTHING = 0.1;

/**
 * Measures how long signals of each type take here, and computes from that how many may be fetched beyond the free slots:
 * fast work is fetched in batches, slow work one by one, and no fetched signal waits longer than about `PREFETCH_MS`.
 */
export class Prefetch {
  private readonly meanMs = new Map<string, number>();
  /** Expected work of the fetched signals that have not started. */
  private queuedMs = 0;
  private queued = 0;
  private runningMs = 0;
  private running = 0;

  constructor(private readonly slots: number) {}

  /** The mean time of a type. A type that has not run here counts as slow. */
  mean(type: string): number {
    return this.meanMs.get(type) ?? PREFETCH_MS;
  }

  /** Types that have run here. */
  known(): Iterable<string> {
    return this.meanMs.keys();
  }

  /** Another signal would start at once, or soon enough. */
  hasRoom(): boolean {
    if (this.running + this.queued < this.slots) return true;
    return this.queued < MAX_PREFETCH && this.runningMs + this.queuedMs < PREFETCH_MS * this.slots;
  }

  /** How many signals of this type one slot runs within `PREFETCH_MS`. */
  batchLimit(type: string): number {
    return Math.floor(PREFETCH_MS / this.mean(type));
  }

  get freeSlots(): number {
    return Math.max(0, this.slots - this.running - this.queued);
  }

  /** @returns the value to pass to `dequeue`, because the mean may have changed by then */
  enqueue(type: string): number {
    const expected = this.mean(type);
    this.queued += 1;
    this.queuedMs += expected;
    return expected;
  }

  dequeue(expected: number): void {
    this.queued -= 1;
    this.queuedMs = this.queued === 0 ? 0 : this.queuedMs - expected;
  }

  /** @returns the value to pass to `finish` */
  start(type: string): number {
    // A slot that will not be free within the window counts as fully taken, however long it takes.
    const expected = Math.min(this.mean(type), PREFETCH_MS);
    this.running += 1;
    this.runningMs += expected;
    return expected;
  }

  finish(expected: number): void {
    this.running -= 1;
    this.runningMs = this.running === 0 ? 0 : this.runningMs - expected;
  }

  /** Updates the mean with the time of one run. */
  observe(type: string, tookMs: number): void {
    const mean = this.meanMs.get(type);
    this.meanMs.set(type, mean === undefined ? tookMs : mean + SMOOTHING * (tookMs - mean));
  }
}
