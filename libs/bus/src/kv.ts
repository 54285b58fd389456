import type { KV } from '@nats-io/kv';
import {
  insist,
  isConflict,
  isMissingBucket,
  KvContentionError,
  KvMissingError,
  type KvOptions,
  KvUnsettledError,
  type KvValue,
  openBucket,
} from './bucket';
import type { Bus } from './connect';
import type { LogMessage, LogStart } from './follow-options';
import { Follower } from './follower';
import { headerValues } from './headers';
import { KvMemory } from './kv-memory';

const MAX_CONFLICTS = 20;
const OPERATION_HEADER = 'KV-Operation';
/** How long a write waits for the bucket to be followed, and then for what it wrote to come back. */
const SETTLE_MS = 2_000;
const READ_BACK_MS = 1_000;

/**
 * A bucket as a map that follows it: every replica of a service sees what any of them wrote.
 *
 * Revisions count within one life of the bucket. When the broker comes back without it, or somebody deletes it, another
 * one is made; what was known stays in force for five seconds, and its owner writes it again. A write waits until the
 * present bucket is followed, so it never relies on a revision of an earlier one.
 */
export class KvView<V> {
  private readonly entries = new Map<string, KvValue<V>>();
  /** Keys that the present consumer has not brought yet. */
  private unseen = new Set<string>();
  private readonly memory: KvMemory<V>;
  private readonly updating = new Map<string, Promise<unknown>>();
  private readonly follower: Follower;
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

  /** For how long this process has not seen what others write, in milliseconds. */
  lostFor(nowMs: number): number {
    return this.follower.lostFor(nowMs);
  }

  /**
   * Compare-and-set: writes only if nobody wrote since `revision` (0: the key must be absent).
   * @returns the new revision, or null when somebody else was first
   * @throws KvUnsettledError
   */
  async swap(key: string, value: V, revision: number): Promise<number | null> {
    const json = JSON.stringify(value);
    // A deleted key is absent, too, but what is written there has to follow the mark that it left: create() finds it.
    const send = (): Promise<number> =>
      revision === 0 ? this.bucket.create(key, json) : this.bucket.put(key, json, { previousSeq: revision });
    return this.write(key, value, send).catch((error: unknown) => {
      if (isConflict(error)) return null;
      throw error;
    });
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

  /** The value as the bucket has it now, for a writer that was too slow. @throws KvUnsettledError */
  async read(key: string): Promise<KvValue<V> | undefined> {
    await this.settled();
    const entry = await this.bucket.get(key);
    if (!entry) return undefined;
    const isThere = entry.operation === 'PUT';
    this.take(entry.key, entry.revision, isThere ? () => entry.json<V>() : null);
    return isThere ? { value: entry.json<V>(), revision: entry.revision } : undefined;
  }

  /** Resolves when the write has come back from the bucket. @throws KvUnsettledError */
  async put(key: string, value: V): Promise<void> {
    const json = JSON.stringify(value);
    const write = (): Promise<number> => this.write(key, value, () => this.bucket.put(key, json));
    await this.readBack(await insist(write));
  }

  /** Resolves when the deletion has come back from the bucket. @throws KvUnsettledError */
  async remove(key: string): Promise<void> {
    await insist(() => this.sent(() => this.bucket.delete(key)));
    if (!(await this.caughtUp(READ_BACK_MS))) throw this.late();
    this.drop(key);
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
      const written = await insist(async () => {
        const entry = conflict === 0 ? this.entry(key) : await this.read(key);
        const next = change(entry?.value);
        if (next === null) return { next };
        return { next, revision: await this.swap(key, next, entry?.revision ?? 0) };
      });
      const { next, revision } = written;
      if (revision === null) continue;
      if (revision !== undefined) await this.readBack(revision);
      return next;
    }
    throw new KvContentionError(`${key} changed ${MAX_CONFLICTS} times while it was to be changed`);
  }

  private async write(key: string, value: V, send: () => Promise<number>): Promise<number> {
    const revision = await this.sent(send);
    this.apply(key, value, revision);
    return revision;
  }

  /** Sends a write to the bucket that is followed. */
  private async sent<T>(send: () => Promise<T>): Promise<T> {
    const created = await this.settled();
    try {
      const answer = await send();
      await this.settled(created);
      return answer;
    } catch (error) {
      if (!isMissingBucket(error)) throw error;
      this.follower.lose();
      throw new KvMissingError(`${this.name} is not there`);
    }
  }

  /**
   * Waits until the bucket is followed.
   * @param before creation time of the bucket that it still has to be
   * @returns the creation time of the bucket
   */
  private async settled(before?: string): Promise<string> {
    const { follower } = this;
    if (!(await follower.until(() => follower.isFollowing, SETTLE_MS))) {
      throw new KvUnsettledError(`${this.name} is not followed now`);
    }
    const { created = '' } = follower;
    if (before === undefined || created === before) return created;
    throw new KvUnsettledError(`${this.name} was lost while it was written to`);
  }

  private async readBack(revision: number): Promise<void> {
    const { follower } = this;
    if (!(await follower.until(() => follower.position >= revision, READ_BACK_MS))) throw this.late();
  }

  private late(): KvUnsettledError {
    return new KvUnsettledError(`what was written to ${this.name} did not come back in time`);
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
    await this.write(key, value, send).catch((error: unknown) => {
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
    this.take(key, seq, isThere ? () => msg.json<V>() : null);
  }

  /** @param value null: the key was deleted */
  private take(key: string, revision: number, value: (() => V) | null): void {
    const known = this.entries.get(key);
    // A new consumer repeats values, and our own writes come back through it.
    if (known && known.revision >= revision) return;
    if (!value) return this.drop(key);
    try {
      this.apply(key, value(), revision);
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
