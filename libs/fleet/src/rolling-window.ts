/** The ring of a RollingWindow covers `bucketMs` x `buckets` milliseconds. */
export interface RollingWindowOptions<B> {
  bucketMs: number;
  buckets: number;
  /** Makes the content of a new bucket. */
  empty: () => B;
}

/** A bucket, and the number of its stretch of time since 1970. */
export interface WindowEntry<B> {
  slot: number;
  bucket: B;
}

/**
 * The latest stretch of time as a ring of buckets. Times are the caller's, usually the stream's: the same events give
 * the same figures in every replica and after every restart.
 */
export class RollingWindow<B> {
  private readonly ring: (WindowEntry<B> | undefined)[];

  constructor(private readonly options: RollingWindowOptions<B>) {
    this.ring = new Array<WindowEntry<B> | undefined>(options.buckets);
  }

  /** The bucket of a moment; undefined when a later round of the ring has taken its place. */
  at(timeMs: number): B | undefined {
    const slot = this.slotOf(timeMs);
    const place = slot % this.options.buckets;
    const entry = this.ring[place];
    if (entry?.slot === slot) return entry.bucket;
    if (entry && entry.slot > slot) return undefined;
    const bucket = this.options.empty();
    this.ring[place] = { slot, bucket };
    return bucket;
  }

  /** Buckets that are not over at `nowMs`, in no order. A bucket in the future counts too: the broker's clock may be ahead. */
  within(nowMs: number): B[] {
    return this.entriesWithin(nowMs).map(({ bucket }) => bucket);
  }

  /** The same, each with the number of its stretch of time. */
  entriesWithin(nowMs: number): WindowEntry<B>[] {
    const oldest = this.slotOf(nowMs) - this.options.buckets + 1;
    return this.entries().filter(({ slot }) => slot >= oldest);
  }

  /** Its content, for a snapshot. */
  entries(): WindowEntry<B>[] {
    return this.ring.filter((entry) => entry !== undefined);
  }

  /** Takes the content of a snapshot in place of its own. */
  restore(entries: readonly WindowEntry<B>[]): void {
    this.ring.fill(undefined);
    for (const entry of entries) this.ring[entry.slot % this.options.buckets] = entry;
  }

  private slotOf(timeMs: number): number {
    return Math.floor(timeMs / this.options.bucketMs);
  }
}
