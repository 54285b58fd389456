import type { Restore } from './bucket';
import { retry } from './retry';

/** The owner of a bucket writes its values again well within this time, even if it has to retry. */
const REMEMBER_MS = 5_000;
const BACKOFF = { firstMs: 500, capMs: 500 };

interface KvMemoryDeps<V> {
  /** Undefined in a process that may only read the bucket. */
  restore: Restore<V> | undefined;
  /** The value of the new bucket under a key, if it has one. */
  found: (key: string) => V | undefined;
  /** Writes, unless the key was written since. A conflict is no error. */
  write: (key: string, value: V) => Promise<void>;
  /** Called when the time is up; drops the values that nobody wrote again. */
  forget: () => void;
  onError: (error: unknown) => void;
}

/**
 * Remembers the values of a lost bucket. They stay in force for five seconds, so that no stopped line starts before the
 * owner of the values has written them into the new bucket.
 */
export class KvMemory<V> {
  private readonly values = new Map<string, V>();
  private timer: NodeJS.Timeout | undefined;
  private ending = new AbortController();

  constructor(private readonly deps: KvMemoryDeps<V>) {}

  add(key: string, value: V): void {
    this.values.set(key, value);
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  /** Starts the five seconds; all values of the new bucket are known by now. */
  begin(): void {
    if (this.values.size === 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.end(), REMEMBER_MS);
    const { restore } = this.deps;
    // An aborted signal ends it: the time is up, or the view was closed.
    if (restore) this.restoreAll(restore).catch(() => undefined);
  }

  close(): void {
    clearTimeout(this.timer);
    this.ending.abort();
  }

  private end(): void {
    this.ending.abort();
    this.ending = new AbortController();
    this.values.clear();
    this.deps.forget();
  }

  private async restoreAll(restore: Restore<V>): Promise<void> {
    const { found, write, onError } = this.deps;
    const { signal } = this.ending;
    for (const [key, value] of this.values) {
      const restoreKey = async (): Promise<void> => {
        const next = restore(value, found(key));
        if (next !== null) await write(key, next);
        this.values.delete(key);
      };
      await retry(restoreKey, { backoff: BACKOFF, signal, onRetry: onError });
    }
  }
}
