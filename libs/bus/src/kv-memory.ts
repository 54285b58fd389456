import { setTimeout as sleep } from 'node:timers/promises';
import type { Restore } from './bucket';

/** The owner of a bucket writes its values again well within this time, also when it has to retry. */
const REMEMBER_MS = 5_000;
const RETRY_MS = 500;

interface Memory<V> {
  /** Undefined in a process that may only read the bucket. */
  restore: Restore<V> | undefined;
  /** What the new bucket has under a key. */
  found: (key: string) => V | undefined;
  /** Writes unless somebody wrote the key since; a conflict is no error. */
  write: (key: string, value: V) => Promise<void>;
  /** The time is up: drops what nobody wrote again. */
  forget: () => void;
  onError: (error: unknown) => void;
}

/**
 * What a lost bucket held. It stays in force for a while, so that no stopped line starts in between: time enough for the
 * owner of the values to write them into the new bucket.
 */
export class KvMemory<V> {
  private readonly values = new Map<string, V>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly parts: Memory<V>) {}

  add(key: string, value: V): void {
    this.values.set(key, value);
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  /** Everything that the new bucket has is known by now. */
  begin(): void {
    if (this.values.size === 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.end(), REMEMBER_MS);
    const { restore } = this.parts;
    if (restore) void this.restoreAll(restore);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private end(): void {
    this.values.clear();
    this.parts.forget();
  }

  private async restoreAll(restore: Restore<V>): Promise<void> {
    for (const [key, value] of this.values) {
      while (!this.closed && this.values.has(key)) {
        try {
          const next = restore(value, this.parts.found(key));
          if (next !== null) await this.parts.write(key, next);
          this.values.delete(key);
        } catch (error) {
          this.parts.onError(error);
          await sleep(RETRY_MS * (0.5 + Math.random() / 2), undefined, { ref: false });
        }
      }
    }
  }
}
