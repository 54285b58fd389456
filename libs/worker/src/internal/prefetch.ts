/** How far ahead of its work a worker may hold signals, in milliseconds of its own work. */
export const PREFETCH_MS = 50;
const MAX_PREFETCH = 256;
const SMOOTHING = 0.1;

/**
 * Knows how long signals of each type take here, and from that how many may be held beyond the free slots: fast work
 * is fetched in batches, slow work one by one, and nothing waits in a worker's hands longer than about `PREFETCH_MS`.
 */
export class Prefetch {
  private readonly meanMs = new Map<string, number>();
  /** Expected work of what is held and has not started. */
  private queuedMs = 0;
  private queued = 0;
  private runningMs = 0;
  private running = 0;

  constructor(private readonly slots: number) {}

  /** An unknown type counts as slow until it was seen. */
  mean(type: string): number {
    return this.meanMs.get(type) ?? PREFETCH_MS;
  }

  /** Types that have run here. */
  known(): Iterable<string> {
    return this.meanMs.keys();
  }

  /** One more signal would start at once, or soon enough. */
  hasRoom(): boolean {
    if (this.running + this.queued < this.slots) return true;
    return this.queued < MAX_PREFETCH && this.runningMs + this.queuedMs < PREFETCH_MS * this.slots;
  }

  /** How many of this type one slot does in the time that signals may be held. */
  batchLimit(type: string): number {
    return Math.floor(PREFETCH_MS / this.mean(type));
  }

  get freeSlots(): number {
    return Math.max(0, this.slots - this.running - this.queued);
  }

  /** @returns the value to hand to `dequeue` or `finish`: the mean may have moved meanwhile */
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

  start(type: string): number {
    // A slot that will not be free within the window counts as wholly taken, however long it takes.
    const expected = Math.min(this.mean(type), PREFETCH_MS);
    this.running += 1;
    this.runningMs += expected;
    return expected;
  }

  finish(expected: number): void {
    this.running -= 1;
    this.runningMs = this.running === 0 ? 0 : this.runningMs - expected;
  }

  /** A run took so long. */
  observe(type: string, tookMs: number): void {
    const mean = this.meanMs.get(type);
    this.meanMs.set(type, mean === undefined ? tookMs : mean + SMOOTHING * (tookMs - mean));
  }
}
