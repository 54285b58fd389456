import type { KV } from '@nats-io/kv';
import { type BucketName, type Message, parseRecord, type RecordOf } from '@tps/contracts';
import {
  isConflict,
  KvContentionError,
  type KvOptions,
  KvReplacedError,
  KvUnsettledError,
  type KvValue,
  openBucket,
  retryWhileReplaced,
} from './bucket';
import type { Bus } from './connect';
import { raiseCopies } from './copies';
import type { LogMessage, LogStart } from './follow-options';
import { Follower } from './follower';
import { headerValues } from './headers';
import { KvMemory } from './kv-memory';
import { KvWrites, type Written } from './kv-writes';

/** A reconnect takes less than this, and must not make a process unready. */
const LOST_LIMIT_MS = 2_000;
const MAX_CONFLICTS = 20;
const OPERATION_HEADER = 'KV-Operation';
const READ_BACK_MS = 1_000;

/**
 * A map in memory that follows a bucket, so that every replica of a service sees every write.
 *
 * Revisions count within one life of the bucket. When the broker comes back without the bucket, or somebody deletes it,
 * the view creates another one. The known values stay in force for five seconds, and their owner writes them again. A
 * write never relies on a revision of an earlier bucket.
 */
export class KvView<V> {
  private readonly entries = new Map<string, KvValue<V>>();
  /** Keys that the current consumer has not delivered yet. */
  private unseen = new Set<string>();
  private readonly memory: KvMemory<V>;
  private readonly updating = new Map<string, Promise<unknown>>();
  private readonly follower: Follower;
  private readonly writes: KvWrites;
  private readonly loaded: Promise<void>;

  private constructor(
    private readonly bus: Bus,
    private readonly name: string,
    private readonly bucket: KV,
    private readonly options: KvOptions<V>,
  ) {
    let resolve = (): void => undefined;
    this.loaded = new Promise((done) => (resolve = done));
    this.memory = new KvMemory({
      restore: options.restore,
      found: (key) => this.found(key),
      write: (key, value) => this.restoreKey(key, value),
      forget: () => this.forget(),
      onError: options.onError,
    });
    const prefix = `$KV.${name}.`;
    this.follower = new Follower(bus, {
      stream: `KV_${name}`,
      latestOf: `${prefix}>`,
      gatherMs: 0,
      ensure: () => openBucket(bus, name, options.replicas),
      entries: () => this.entries.size,
      onStart: (start) => this.begin(start),
      onCaughtUp: () => {
        this.reconcile();
        resolve();
      },
      onMessage: (message) => this.receive(message.subject.slice(prefix.length), message),
      onError: options.onError,
    });
    this.writes = new KvWrites(name, this.follower);
  }

  /** Opens a view; resolves when all values are loaded. */
  static async open<V>(bus: Bus, name: string, options: KvOptions<V>): Promise<KvView<V>> {
    const bucket = await openBucket(bus, name, options.replicas);
    if (options.restore) await raiseCopies(bus, `KV_${name}`, options.replicas);
    const view = new KvView<V>(bus, name, bucket, options);
    await view.loaded;
    return view;
  }

  /** The value of a key, as last seen. */
  get(key: string): V | undefined {
    return this.entries.get(key)?.value;
  }

  /** The value of a key with its revision, for `compareAndSet`. */
  entry(key: string): KvValue<V> | undefined {
    return this.entries.get(key);
  }

  /** All keys, as last seen. */
  keys(): string[] {
    return [...this.entries.keys()];
  }

  /** All values, as last seen. */
  values(): V[] {
    return [...this.entries.values()].map(({ value }) => value);
  }

  /** Reports that the bucket has not been followed for two seconds: this process may not obey what people do. */
  problems(nowMs = Date.now()): string[] {
    return this.follower.lostFor(nowMs) > LOST_LIMIT_MS ? [`${this.name} is not followed now`] : [];
  }

  /**
   * Writes only if the key still has this revision (0: the key must be absent).
   *
   * @returns the new revision, or null if somebody else was first or the bucket was replaced
   * @throws KvUnsettledError
   */
  async compareAndSet(key: string, value: V, revision: number): Promise<number | null> {
    const written = await this.replace(key, value, revision);
    return written && written.revision;
  }

  /**
   * Changes a value, and decides again whenever somebody else was first. Changes of one key by this process happen one
   * after the other. Resolves when the write has come back from the bucket.
   *
   * @param change returns the next value, or null to leave it as it is
   * @returns the written value, or null
   * @throws KvContentionError
   * @throws KvUnsettledError
   */
  update(key: string, change: (value: V | undefined) => V | null): Promise<V | null> {
    const before = this.updating.get(key) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(() => this.updateNow(key, change));
    this.updating.set(key, done);
    return done;
  }

  /**
   * Reads the value from the bucket itself, for a writer that was too slow.
   *
   * @throws KvUnsettledError
   * @throws MessageError if the value is unreadable: nobody may overwrite a value that it does not understand
   */
  async read(key: string): Promise<KvValue<V> | undefined> {
    await this.writes.settled();
    const entry = await this.bucket.get(key);
    if (!entry) return undefined;
    const isPut = entry.operation === 'PUT';
    this.applyEntry(entry.key, entry.revision, isPut ? entry : null);
    return isPut ? { value: this.options.parse(key, entry), revision: entry.revision } : undefined;
  }

  /** Writes a value; resolves when it has come back from the bucket. @throws KvUnsettledError */
  async put(key: string, value: V): Promise<void> {
    const json = JSON.stringify(value);
    const send = (): Promise<number> => this.bucket.put(key, json);
    await this.writes.readBack(await retryWhileReplaced(() => this.write(key, value, send, undefined)));
  }

  /** Deletes a key; resolves when the deletion has come back from the bucket. @throws KvUnsettledError */
  async remove(key: string): Promise<void> {
    const send = (): Promise<number> => this.bucket.delete(key).then(() => 0);
    await this.writes.readBack(await retryWhileReplaced(() => this.writes.send(undefined, send)));
    // After that, the bucket has reported that the key is gone, or a later value.
    if (!(await this.caughtUp(READ_BACK_MS))) throw new KvUnsettledError(`${key} may not be deleted yet`);
  }

  /**
   * Waits for everything that anybody had written before the call.
   *
   * @returns false after `limitMs`
   */
  caughtUp(limitMs: number): Promise<boolean> {
    return this.follower.caughtUp(limitMs);
  }

  /** Stops following the bucket. */
  close(): void {
    this.memory.close();
    void this.follower.stop();
  }

  private async updateNow(key: string, change: (value: V | undefined) => V | null): Promise<V | null> {
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict += 1) {
      const done = await retryWhileReplaced(async () => {
        await this.writes.verified();
        const entry = conflict === 0 ? this.entry(key) : await this.read(key);
        const next = change(entry?.value);
        return next === null
          ? { next }
          : { next, written: await this.replace(key, next, entry?.revision ?? 0) };
      });
      if (done.written === null) continue;
      if (done.written) await this.writes.readBack(done.written);
      return done.next;
    }
    throw new KvContentionError(`${key} changed ${MAX_CONFLICTS} times during one update`);
  }

  /** @returns null if somebody else was first or the bucket was replaced */
  private async replace(key: string, value: V, revision: number): Promise<Written | null> {
    const json = JSON.stringify(value);
    // A deleted key is absent too, but a write must follow the marker that the deletion left: create() finds it.
    const send = (): Promise<number> =>
      revision === 0 ? this.bucket.create(key, json) : this.bucket.put(key, json, { previousSeq: revision });
    try {
      return await this.write(key, value, send, this.follower.created);
    } catch (error) {
      if (isConflict(error) || error instanceof KvReplacedError) return null;
      throw error;
    }
  }

  private async write(key: string, value: V, send: () => Promise<number>, basis?: string): Promise<Written> {
    const written = await this.writes.send(basis, send);
    this.apply(key, value, written.revision);
    return written;
  }

  private begin({ replaced }: LogStart): void {
    if (replaced) {
      for (const [key, { value }] of this.entries) {
        this.memory.add(key, value);
        this.entries.set(key, { value, revision: 0 });
      }
    }
    this.unseen = new Set(this.entries.keys());
  }

  /** All values of the bucket are loaded, so keys that were not delivered are not in it. */
  private reconcile(): void {
    for (const key of this.unseen) if (!this.memory.has(key)) this.drop(key);
    this.unseen.clear();
    this.memory.begin();
  }

  /** A key that somebody deleted from the new bucket stays deleted, because its marker is a conflict too. */
  private async restoreKey(key: string, value: V): Promise<void> {
    const previousSeq = this.entries.get(key)?.revision ?? 0;
    const send = (): Promise<number> => this.bucket.put(key, JSON.stringify(value), { previousSeq });
    await this.write(key, value, send, this.follower.created).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
  }

  private found(key: string): V | undefined {
    const entry = this.entries.get(key);
    return entry && entry.revision > 0 ? entry.value : undefined;
  }

  private forget(): void {
    const gone = [...this.entries].filter(([, { revision }]) => revision === 0).map(([key]) => key);
    if (gone.length === 0) return;
    const { created: life = '' } = this.follower;
    this.bus.losses.add({ name: `KV_${this.name}`, life, entries: gone.length, gone: true });
    for (const key of gone) this.drop(key);
  }

  private receive(key: string, { seq, msg }: LogMessage): void {
    this.unseen.delete(key);
    const isPut = headerValues(msg.headers, OPERATION_HEADER).length === 0;
    this.applyEntry(key, seq, isPut ? msg : null);
  }

  /** @param message null if the key was deleted */
  private applyEntry(key: string, revision: number, message: Message | null): void {
    const known = this.entries.get(key);
    // A new consumer repeats values, and the writes of this process come back through it.
    if (known && known.revision >= revision) return;
    if (!message) return this.drop(key);
    try {
      this.apply(key, this.options.parse(key, message), revision);
    } catch (error) {
      this.options.onError(error);
    }
  }

  private apply(key: string, value: V, revision: number): void {
    const known = this.entries.get(key);
    if (known && known.revision >= revision) return;
    this.entries.set(key, { value, revision });
    this.options.onChange?.(key, value);
  }

  private drop(key: string): void {
    if (this.entries.delete(key)) this.options.onChange?.(key, undefined);
  }
}

/** Opens a view of one of the fleet's buckets; resolves when all values are loaded. */
export function openView<B extends BucketName>(
  bus: Bus,
  bucket: B,
  options: Omit<KvOptions<RecordOf<B>>, 'parse'>,
): Promise<KvView<RecordOf<B>>> {
  const parse = (key: string, message: Message): RecordOf<B> => parseRecord(bucket, key, message);
  return KvView.open(bus, bus.names.buckets[bucket], { ...options, parse });
}
