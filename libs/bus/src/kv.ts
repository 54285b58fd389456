import { setTimeout as sleep } from 'node:timers/promises';
import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import type { Bus } from './connect';
import { isApiError } from './streams';

const WRONG_LAST_SEQUENCE = 10071;

/** Opens a bucket, creating it if absent. */
export async function openBucket(bus: Bus, name: string, replicas: number): Promise<KV> {
  return new Kvm(bus.nc).create(name, { history: 1, replicas });
}

/** The value was changed by somebody else meanwhile: read it again and decide again. */
function isConflict(error: unknown): boolean {
  return isApiError(error, WRONG_LAST_SEQUENCE);
}

/** Others change the value all the time: it could not be changed now. */
export class KvContentionError extends Error {
  override readonly name = 'KvContentionError';
}

const MAX_CONFLICTS = 20;
const CATCH_UP_MS = 5;

export interface KvValue<V> {
  value: V;
  revision: number;
}

/** A bucket as a map that follows it: every replica of a service sees what any of them wrote. */
export class KvView<V> {
  private readonly entries = new Map<string, KvValue<V>>();
  private stopWatch: (() => void) | undefined;
  private readonly updating = new Map<string, Promise<unknown>>();
  /** Up to here everything came through the watch. */
  private watched = 0;

  private constructor(
    readonly bucket: KV,
    private readonly onChange: (key: string, value: V | undefined) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Resolves when all present values are loaded. */
  static async open<V>(
    bus: Bus,
    name: string,
    options: {
      replicas: number;
      onChange?: (key: string, value: V | undefined) => void;
      onError: (error: unknown) => void;
    },
  ): Promise<KvView<V>> {
    const bucket = await openBucket(bus, name, options.replicas);
    const view = new KvView<V>(bucket, options.onChange ?? (() => undefined), options.onError);
    await view.load();
    return view;
  }

  get(key: string): V | undefined {
    return this.entries.get(key)?.value;
  }

  entry(key: string): KvValue<V> | undefined {
    return this.entries.get(key);
  }

  keys(): string[] {
    return [...this.entries.keys()];
  }

  values(): V[] {
    return [...this.entries.values()].map(({ value }) => value);
  }

  /**
   * Compare-and-set: writes only if nobody wrote since `revision` (0: the key must be absent).
   * @returns the new revision, or null when somebody else was first
   */
  async swap(key: string, value: V, revision: number): Promise<number | null> {
    const json = JSON.stringify(value);
    try {
      // A deleted key is absent, too, but what is written there has to follow the mark that it left: create() finds it.
      const written =
        revision === 0
          ? this.bucket.create(key, json)
          : this.bucket.put(key, json, { previousSeq: revision });
      const next = await written;
      this.apply(key, value, next);
      return next;
    } catch (error) {
      if (isConflict(error)) return null;
      throw error;
    }
  }

  /**
   * Changes a value as it is at that moment, and decides again whenever somebody else was first. Changes of one key by
   * this process happen one after the other.
   *
   * @param change the next value, or null to leave it as it is
   * @returns what was written, or null
   * @throws KvContentionError
   */
  update(key: string, change: (value: V | undefined) => V | null): Promise<V | null> {
    const before = this.updating.get(key) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(() => this.updateNow(key, change));
    this.updating.set(key, done);
    return done;
  }

  /** The value as the bucket has it now, for a writer that was too slow. */
  async read(key: string): Promise<KvValue<V> | undefined> {
    const entry = await this.bucket.get(key);
    if (entry) this.take(entry);
    return entry?.operation === 'PUT' ? { value: entry.json<V>(), revision: entry.revision } : undefined;
  }

  async put(key: string, value: V): Promise<void> {
    this.apply(key, value, await this.bucket.put(key, JSON.stringify(value)));
  }

  /** The key is absent from here on; so it is for one who watches, a moment later. */
  async remove(key: string): Promise<void> {
    await this.bucket.delete(key);
    this.entries.delete(key);
    this.onChange(key, undefined);
  }

  /**
   * Waits for what anybody had written when it was called.
   * @returns false when that did not come within `limitMs`
   */
  async caughtUp(limitMs: number): Promise<boolean> {
    const endMs = Date.now() + limitMs;
    const { last_seq } = (await this.bucket.status()).streamInfo.state;
    while (this.watched < last_seq && Date.now() < endMs) await sleep(CATCH_UP_MS);
    return this.watched >= last_seq;
  }

  close(): void {
    this.stopWatch?.();
  }

  private async updateNow(key: string, change: (value: V | undefined) => V | null): Promise<V | null> {
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict += 1) {
      const entry = conflict === 0 ? this.entry(key) : await this.read(key);
      const next = change(entry?.value);
      if (next === null) return null;
      if ((await this.swap(key, next, entry?.revision ?? 0)) !== null) return next;
    }
    throw new KvContentionError(`${key} changed ${MAX_CONFLICTS} times while it was to be changed`);
  }

  private async load(): Promise<void> {
    const watch = await this.bucket.watch();
    this.stopWatch = () => watch.stop();
    const { state } = (await this.bucket.status()).streamInfo;
    await new Promise<void>((resolve) => {
      if (state.messages === 0) resolve();
      void (async () => {
        for await (const entry of watch) {
          this.take(entry);
          this.watched = Math.max(this.watched, entry.revision);
          // What was written over meanwhile the broker still counts as to come: then the count never ends.
          if (entry.delta === 0 || entry.revision >= state.last_seq) resolve();
        }
        resolve();
      })().catch(this.onError);
    });
  }

  private take(entry: KvEntry): void {
    const known = this.entries.get(entry.key);
    // The watch repeats values after a reconnect, and our own writes come back through it.
    if (known && known.revision >= entry.revision) return;
    if (entry.operation !== 'PUT') {
      this.entries.delete(entry.key);
      return this.onChange(entry.key, undefined);
    }
    try {
      this.apply(entry.key, entry.json<V>(), entry.revision);
    } catch (error) {
      this.onError(error);
    }
  }

  private apply(key: string, value: V, revision: number): void {
    const known = this.entries.get(key);
    if (known && known.revision >= revision) return;
    this.entries.set(key, { value, revision });
    this.onChange(key, value);
  }
}
