import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { type Bus, isConflict, managerOf, openObjectStore, raiseCopies, retry } from '@tps/bus';
import type { Message } from '@tps/contracts';

const OBJECT = 'snapshot';
const ANSWER_LIMIT_MS = 3_000;
const READ_LIMIT_MS = 5_000;
/** A write of another process may replace the object while it is read. */
const READ_TRIES = 3;
const READ_BACKOFF = { firstMs: 100, capMs: 500 };
/** A few hundred histograms take 5 MB. More than this is no snapshot of a service. */
const LARGEST_BYTES = 256 * 1024 * 1024;

const packed = promisify(gzip);
const unpacked = promisify(gunzip);

/** The place of a snapshot in the log: the sequence of the last message in it, and when that was stored. */
export interface Place {
  atMs: number;
  seq: number;
}

/** The stored object is damaged, incomplete, or of a shape that this code does not read. */
class UnreadableSnapshotError extends Error {
  override readonly name = 'UnreadableSnapshotError';
  constructor(
    readonly revision: number,
    cause: unknown,
  ) {
    super('the stored snapshot cannot be read', { cause });
  }
}

/** Which object store holds the snapshot, and how to read it. */
export interface SnapshotOptions<S> {
  store: string;
  /** @throws MessageError if the snapshot has another shape */
  parse: (message: Message) => S;
  /** Copies of the store. If it exists with fewer, `read` raises them. */
  replicas: number;
  /** Told when the stored snapshot cannot be read. The next write replaces it. */
  onUnreadable: (error: unknown) => void;
}

/**
 * The snapshot of a projection, in an object store of its own. All replicas write it. The newest place in the log wins:
 * an older snapshot never replaces a newer one.
 *
 * A snapshot is JSON, compressed by gzip. Its place stands in the metadata too, so a comparison does not read it.
 */
export class Snapshots<S> {
  /** Revision of a stored object that cannot be read; any place is better. */
  private unreadable: number | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly options: SnapshotOptions<S>,
  ) {}

  /**
   * Reads the stored snapshot.
   *
   * @returns undefined if there is none, or none that can be read
   * @throws Error if NATS does not answer: a start without the snapshot would show less than people saw before
   */
  async read(): Promise<S | undefined> {
    try {
      return await retry(() => this.readOnce(), { backoff: READ_BACKOFF, maxTries: READ_TRIES });
    } catch (error) {
      if (!(error instanceof UnreadableSnapshotError) || !this.bus.connected) throw error;
      this.unreadable = error.revision;
      this.options.onUnreadable(error);
      return undefined;
    }
  }

  /**
   * Writes a snapshot, unless the stored one is as new.
   *
   * @returns whether it was written; false when another process was first
   */
  async write(place: Place, snapshot: S): Promise<boolean> {
    const store = await this.open();
    const stored = await store.info(OBJECT);
    if (stored && stored.revision !== this.unreadable && !isNewer(place, stored.metadata)) return false;
    const metadata = { at_ms: String(place.atMs), seq: String(place.seq) };
    const revision = stored?.revision ?? 0;
    const data = await packed(JSON.stringify(snapshot));
    try {
      await store.putBlob({ name: OBJECT, metadata }, data, {
        previousRevision: revision,
        timeout: ANSWER_LIMIT_MS,
      });
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
    await this.removeBefore(revision);
    return true;
  }

  private async readOnce(): Promise<S | undefined> {
    const store = await this.open();
    await raiseCopies(this.bus, `OBJ_${this.options.store}`, this.options.replicas);
    const object = await store.get(OBJECT);
    if (!object) return undefined;
    // The reader of the data gets the same error.
    object.error.catch(() => undefined);
    try {
      const json = await unpacked(await readAll(object.data), { maxOutputLength: LARGEST_BYTES });
      return this.options.parse({ json: () => JSON.parse(json.toString()) as unknown });
    } catch (error) {
      throw new UnreadableSnapshotError(object.info.revision, error);
    }
  }

  /** Chunks before the revision that a write replaced belong to that object, or to a process that died during a write. */
  private async removeBefore(revision: number): Promise<void> {
    if (revision === 0) return;
    const { store } = this.options;
    const jsm = await managerOf(this.bus, { timeout: ANSWER_LIMIT_MS });
    await jsm.streams.purge(`OBJ_${store}`, { filter: `$O.${store}.C.>`, seq: revision });
  }

  /** Opened each time, because the broker may have lost the store. */
  private open(): ReturnType<typeof openObjectStore> {
    const { store, replicas } = this.options;
    return openObjectStore(this.bus, store, { replicas, timeout: ANSWER_LIMIT_MS });
  }
}

function isNewer(place: Place, stored: Record<string, string> | undefined): boolean {
  const [atMs, seq] = [Number(stored?.at_ms), Number(stored?.seq)];
  // Metadata without numbers is nobody's place.
  if (Number.isNaN(atMs) || Number.isNaN(seq)) return true;
  // Sequences of two logs cannot be compared, so the time decides first.
  return place.atMs === atMs ? place.seq > seq : place.atMs > atMs;
}

/** The client waits without limit for a chunk that another process has removed. */
async function readAll(data: ReadableStream<Uint8Array>): Promise<Buffer> {
  const reader = data.getReader();
  const chunks: Uint8Array[] = [];
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel();
  }, READ_LIMIT_MS);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw new Error(`the data did not arrive within ${READ_LIMIT_MS} ms`);
      if (done) return Buffer.concat(chunks);
      chunks.push(value);
    }
  } finally {
    clearTimeout(timer);
  }
}
