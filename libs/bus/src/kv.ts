import type { KV } from '@nats-io/kv';
import { type BucketName, type Message, parseRecord, type RecordOf } from '@tps/contracts';
import {
  insist,
  isConflict,
  KvContentionError,
  type KvOptions,
  KvReplacedError,
  KvUnsettledError,
  type KvValue,
  openBucket,
} from './bucket';
import type { Bus } from './connect';
import type { LogMessage, LogStart } from './follow-options';
import { Follower } from './follower';
import { headerValues } from './headers';
import { KvMemory } from './kv-memory';
import { KvWrites, type Written } from './kv-writes';

/** A reconnect takes less, and is no reason to call a process unready. */
const LOST_LIMIT_MS = 2_000;
const MAX_CONFLICTS = 20;
const OPERATION_HEADER = 'KV-Operation';
const READ_BACK_MS = 1_000;

/**
 * A bucket as a map that follows it: every replica of a service sees what any of them wrote.
 *
 * Revisions count within one life of the bucket. When the broker comes back without it, or somebody deletes it, another
 * one is made; what was known stays in force for five seconds, and its owner writes it again. A write never relies on a
 * revision of an earlier bucket.
 */
export class KvView<V> {
  private readonly entries = new Map<string, KvValue<V>>();
  /** Keys that the present consumer has not brought yet. */
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

  /** Resolves when all present values are loaded. */
  static async open<V>(bus: Bus, name: string, options: KvOptions<V>): Promise<KvView<V>> {
    const view = new KvView<V>(bus, name, await openBucket(bus, name, options.replicas), options);
    await view.loaded;
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

  /** That this process has not seen for a while what others write: it may not obey what people do. */
  problems(nowMs = Date.now()): string[] {
    return this.follower.lostFor(nowMs) > LOST_LIMIT_MS ? [`${this.name} is not followed now`] : [];
  }

  /**
   * Compare-and-set: writes only if nobody wrote since `revision` (0: the key must be absent).
   * @returns the new revision, or null when somebody else was first, or the bucket is another one by now
   * @throws KvUnsettledError
   */
  async compareAndSet(key: string, value: V, revision: number): Promise<number | null> {
    const written = await this.replace(key, value, revision);
    return written && written.revision;
  }

  /**
   * Changes a value as it is at that moment, and decides again whenever somebody else was first. Changes of one key by
   * this process happen one after the other. Resolves when the write has come back from the bucket.
   *
   * @param change the next value, or null to leave it as it is
   * @returns what was written, or null
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
   * The value as the bucket has it now, for a writer that was too slow.
   * @throws KvUnsettledError
   * @throws MessageError when it cannot be read: nobody may write over what it does not understand
   */
  async read(key: string): Promise<KvValue<V> | undefined> {
    await this.writes.settled();
    const entry = await this.bucket.get(key);
    if (!entry) return undefined;
    const isThere = entry.operation === 'PUT';
    this.applyEntry(entry.key, entry.revision, isThere ? entry : null);
    return isThere ? { value: this.options.parse(key, entry), revision: entry.revision } : undefined;
  }

  /** Resolves when the write has come back from the bucket. @throws KvUnsettledError */
  async put(key: string, value: V): Promise<void> {
    const json = JSON.stringify(value);
    const send = (): Promise<number> => this.bucket.put(key, json);
    await this.writes.readBack(await insist(() => this.write(key, value, send, undefined)));
  }

  /** Resolves when the deletion has come back from the bucket. @throws KvUnsettledError */
  async remove(key: string): Promise<void> {
    const send = (): Promise<number> => this.bucket.delete(key).then(() => 0);
    await this.writes.readBack(await insist(() => this.writes.send(undefined, send)));
    // By then the bucket has said that the key is gone, or what somebody has written there since.
    if (!(await this.caughtUp(READ_BACK_MS))) throw new KvUnsettledError(`${key} may not be deleted yet`);
  }

  /**
   * Waits for what anybody had written when it was called.
   * @returns false when that did not come within `limitMs`
   */
  caughtUp(limitMs: number): Promise<boolean> {
    return this.follower.caughtUp(limitMs);
  }

  close(): void {
    this.memory.close();
    void this.follower.stop();
  }

  private async updateNow(key: string, change: (value: V | undefined) => V | null): Promise<V | null> {
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict += 1) {
      const done = await insist(async () => {
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
    throw new KvContentionError(`${key} changed ${MAX_CONFLICTS} times while it was to be changed`);
  }

  /** @returns null when somebody else was first, or the bucket is another one by now */
  private async replace(key: string, value: V, revision: number): Promise<Written | null> {
    const json = JSON.stringify(value);
    // A deleted key is absent, too, but what is written there has to follow the mark that it left: create() finds it.
    const send = (): Promise<number> =>
      revision === 0 ? this.bucket.create(key, json) : this.bucket.put(key, json, { previousSeq: revision });
    try {
      return await this.write(key, value, send, this.follower.created);
    } catch (error) {
      if (isConflict(error) || error instanceof KvReplacedError) return null;
      throw error;
    }
  }

  private async write(
    key: string,
    value: V,
    send: () => Promise<number>,
    basis: string | undefined,
  ): Promise<Written> {
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

  /** All values that the bucket has are here: what did not come is not in it. */
  private reconcile(): void {
    for (const key of this.unseen) if (!this.memory.has(key)) this.drop(key);
    this.unseen.clear();
    this.memory.begin();
  }

  /** A key that somebody deleted from the new bucket stays deleted: its mark is a conflict, too. */
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
    const isThere = headerValues(msg.headers, OPERATION_HEADER).length === 0;
    this.applyEntry(key, seq, isThere ? msg : null);
  }

  /** @param message null: the key was deleted */
  private applyEntry(key: string, revision: number, message: Message | null): void {
    const known = this.entries.get(key);
    // A new consumer repeats values, and our own writes come back through it.
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

/** Opens a bucket of the fleet as a view of its records. Resolves when all present values are loaded. */
export function openView<B extends BucketName>(
  bus: Bus,
  bucket: B,
  options: Omit<KvOptions<RecordOf<B>>, 'parse'>,
): Promise<KvView<RecordOf<B>>> {
  const parse = (key: string, message: Message): RecordOf<B> => parseRecord(bucket, key, message);
  return KvView.open(bus, bus.names.buckets[bucket], { ...options, parse });
}
