/** How a `Batcher` sends its items, and the bounds of a batch. */
export interface BatcherOptions<T, R> {
  /** Sends one batch. It resolves to one result per item, in order, or rejects for all of them. */
  send: (items: T[]) => Promise<R[]>;
  /** Bytes of an item on the wire, for `maxBytes`. Default: 0. */
  weigh?: (item: T) => number;
  /** Default: 256. */
  maxItems?: number;
  /** Must leave room for headers and one largest signal below the broker's `max_payload` of 1 MiB. Default: 512 KiB. */
  maxBytes?: number;
  /** Batches in flight at once. Default: 1. */
  concurrency?: number;
}

/**
 * Batches requests adaptively. While no batch is in flight, an item leaves at the end of the current turn of the event
 * loop. While one is in flight, further items gather and leave together when it returns. Cost per item therefore falls
 * as load grows, and latency at low load does not rise.
 */
export class Batcher<T, R> {
  private queue: { item: T; resolve: (result: R) => void; reject: (error: unknown) => void }[] = [];
  private inFlight = 0;
  private scheduled = false;
  private readonly options: Required<BatcherOptions<T, R>>;

  constructor(options: BatcherOptions<T, R>) {
    this.options = { weigh: () => 0, maxItems: 256, maxBytes: 512 * 1024, concurrency: 1, ...options };
  }

  /** Items that wait for a batch. */
  get size(): number {
    return this.queue.length;
  }

  /** Adds an item; resolves to its result. */
  push(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.queue.push({ item, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.inFlight >= this.options.concurrency) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      while (this.queue.length > 0 && this.inFlight < this.options.concurrency) void this.sendNext();
    });
  }

  private async sendNext(): Promise<void> {
    const batch = this.take();
    this.inFlight += 1;
    try {
      const results = await this.options.send(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, i) => resolve(results[i] as R));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.inFlight -= 1;
      if (this.queue.length > 0) this.schedule();
    }
  }

  private take(): typeof this.queue {
    const { maxItems, maxBytes, weigh } = this.options;
    let count = 0;
    let bytes = 0;
    while (count < this.queue.length && count < maxItems) {
      bytes += weigh(this.queue[count]!.item);
      if (count > 0 && bytes > maxBytes) break;
      count += 1;
    }
    return this.queue.splice(0, count);
  }
}
