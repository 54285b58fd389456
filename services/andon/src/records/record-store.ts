import { join } from 'node:path';
import { type Database, openDatabase } from './record-database';
import {
  APPLIED_KEY,
  decodeEntry,
  decodePositions,
  decodeSeq,
  encodeEntry,
  encodePositions,
  encodeSeq,
  type Entry,
  entryOf,
  idKey,
  minuteKey,
  placeAt,
  type PlacedOutcome,
  placeKey,
  placeNumber,
  type Position,
  positionOf,
} from './record-entry';

/** A process that finds an index in use takes the next folder. */
const MAX_FOLDERS = 16;
/** Entries that one step of a walk or of a removal reads. */
const STEP = 1_000;
const MINUTE_MS = 60_000;

type Operation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer };

/** The log that an index is of, and the last sequence that the index holds. */
interface Applied {
  created: string;
  seq: number;
}

/** How much of the log a start reads again, beyond the outcomes that the index lacks. */
export interface Reread {
  /** Outcomes of this time are read whatever their number, in milliseconds. */
  surelyMs: number;
  /** Outcomes of this time are read unless that is more than `gladlyMessages`. */
  gladlyMs: number;
  gladlyMessages: number;
}

/** One part of a walk. */
export interface Walked {
  entries: Entry[];
  /** The walk goes on before this place; null when it has come to the end. */
  next: number | null;
}

/**
 * An index on disk of the log of outcomes: where the log has each outcome of a signal, and what a list filters by. It is a
 * projection. It remembers the log that it is of and how far it has read, both written together with the entries, so a
 * process that was killed goes on where it stopped. An index that was lost is built anew from the log.
 *
 * Its memory does not grow with its size: LevelDB keeps a cache and a write buffer, and the outcomes that `flush` has
 * not written yet are bounded by its caller.
 */
export class RecordStore {
  private pending: PlacedOutcome[] = [];
  private writing: PlacedOutcome[] = [];
  private markedMinute = 0;
  /** The entries are those of an earlier log, and must go before anything is read or written. */
  private outdated = false;
  /** Writers run one after another: each reads positions that it then writes. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly db: Database,
    private applied: Applied,
  ) {}

  /**
   * Opens the index in the first subfolder of `folder` that no other process uses. An unreadable index is deleted.
   *
   * @throws Error when the folder cannot be written, or is used by too many processes
   */
  static async open(folder: string): Promise<RecordStore> {
    for (let n = 0; n < MAX_FOLDERS; n += 1) {
      const db = await openDatabase(join(folder, String(n)));
      if (!db) continue;
      const applied = await db.get(APPLIED_KEY);
      return new RecordStore(
        db,
        applied ? (JSON.parse(applied.toString()) as Applied) : { created: '', seq: 0 },
      );
    }
    throw new Error(`${folder} is in use by ${MAX_FOLDERS} other processes`);
  }

  /** The last sequence of the log that the index holds. */
  get position(): number {
    return this.applied.seq;
  }

  /**
   * The sequence from which to read a log, so that the index becomes complete and recent outcomes are read again. The index
   * of another log, or of one that was set back, is emptied.
   */
  async startIn({ created, lastSeq }: { created: string; lastSeq: number }, reread: Reread): Promise<number> {
    if (created !== this.applied.created || lastSeq < this.applied.seq) this.restart(created);
    const surely = await this.lastSeqBefore(Date.now() - reread.surelyMs);
    const gladly = await this.lastSeqBefore(Date.now() - reread.gladlyMs);
    return 1 + Math.min(this.applied.seq, surely, Math.max(gladly, lastSeq - reread.gladlyMessages));
  }

  /** Begins anew, because the log is another one. */
  restart(created: string): void {
    this.pending = [];
    this.markedMinute = 0;
    this.applied = { created, seq: 0 };
    this.outdated = true;
  }

  /** Takes an outcome, which `flush` writes. An outcome that the index holds already is left out. */
  add(placed: PlacedOutcome): void {
    if (placed.seq > this.applied.seq) this.pending.push(placed);
  }

  /** Writes all outcomes that were taken, or none of them when the disk refuses. */
  flush(): Promise<void> {
    return this.pending.length === 0 ? Promise.resolve() : this.exclusively(() => this.write());
  }

  /** The positions of each of these signals, oldest first. Signals that the log does not know are absent. */
  async positionsOf(ids: readonly string[]): Promise<Map<string, Position[]>> {
    const wanted = new Set(ids);
    if (this.outdated) await this.exclusively(noStep);
    const unwritten = [...this.writing, ...this.pending];
    const found = await this.stored([...wanted]);
    for (const placed of unwritten) {
      const { signal_id } = placed.outcome;
      if (wanted.has(signal_id)) found.set(signal_id, withPosition(found.get(signal_id), placed));
    }
    return found;
  }

  /**
   * Walks over final outcomes before a place, newest first. Outcomes that are not written yet are not seen.
   *
   * @param keep chooses entries; the walk ends with the first entry for which it returns 'end'
   * @param limits how many entries to choose, and how many to look at
   */
  async walk(
    before: number,
    keep: (entry: Entry) => boolean | 'end',
    limits: { entries: number; looks: number },
  ): Promise<Walked> {
    if (this.outdated) await this.exclusively(noStep);
    const range = { gte: placeKey(placeAt(0)), lt: placeKey(placeAt(before)), reverse: true };
    const entries: Entry[] = [];
    const iterator = this.db.iterator(range);
    try {
      for (let looks = 0; looks < limits.looks; looks += STEP) {
        const step = await iterator.nextv(STEP);
        for (const [key, value] of step) {
          const entry = decodeEntry(key, value);
          const verdict = keep(entry);
          if (verdict === 'end') return { entries, next: null };
          if (verdict) entries.push(entry);
          before = placeNumber(entry);
          if (entries.length === limits.entries) return { entries, next: before };
        }
        if (step.length === 0) return { entries, next: null };
      }
      return { entries, next: before };
    } finally {
      await iterator.close();
    }
  }

  /** Removes outcomes that the log has lost to age or size. @returns whether there may be more of them */
  removeBefore(firstSeq: number): Promise<boolean> {
    return this.exclusively(() => this.remove(firstSeq));
  }

  async close(): Promise<void> {
    await this.exclusively(() => this.db.close());
  }

  private exclusively<T>(step: () => Promise<T>): Promise<T> {
    const done = this.last.then(async () => {
      if (this.outdated) {
        this.outdated = false;
        await this.clear();
      }
      return step();
    });
    this.last = done.catch(() => undefined);
    return done;
  }

  /** A sequence that was stored before this moment, at most a minute or the pause before it; 0 if none is known. */
  private async lastSeqBefore(timeMs: number): Promise<number> {
    const range = { gte: minuteKey(0), lt: minuteKey(Math.floor(timeMs / MINUTE_MS)) };
    const [mark] = await this.exclusively(() => this.db.values({ ...range, reverse: true, limit: 1 }).all());
    return mark ? decodeSeq(mark) : 0;
  }

  private async clear(): Promise<void> {
    try {
      await this.db.clear();
    } catch (error) {
      this.outdated = true;
      throw error;
    }
  }

  private async write(): Promise<void> {
    const { created } = this.applied;
    const newest = this.pending.at(-1);
    if (!newest) return;
    this.writing = this.pending;
    this.pending = [];
    const applied = { created, seq: newest.seq };
    const minute = Math.floor(newest.timeMs / MINUTE_MS);
    try {
      const operations = await this.operations(this.writing);
      operations.push({ type: 'put', key: APPLIED_KEY, value: Buffer.from(JSON.stringify(applied)) });
      if (minute > this.markedMinute) {
        operations.push({ type: 'put', key: minuteKey(minute), value: encodeSeq(newest.seq) });
      }
      await this.db.batch(operations);
      // Another log may have begun meanwhile: then these entries are cleared before the next step.
      if (this.applied.created !== created) return;
      this.applied = applied;
      this.markedMinute = Math.max(minute, this.markedMinute);
    } catch (error) {
      if (this.applied.created === created) this.pending = [...this.writing, ...this.pending];
      throw error;
    } finally {
      this.writing = [];
    }
  }

  private async operations(outcomes: readonly PlacedOutcome[]): Promise<Operation[]> {
    const ids = [...new Set(outcomes.map(({ outcome }) => outcome.signal_id))];
    const positions = await this.stored(ids);
    const operations: Operation[] = [];
    for (const placed of outcomes) {
      const { signal_id, final } = placed.outcome;
      positions.set(signal_id, withPosition(positions.get(signal_id), placed));
      if (final) operations.push({ type: 'put', key: placeKey(placed), value: encodeEntry(entryOf(placed)) });
    }
    for (const [id, list] of positions) {
      operations.push({ type: 'put', key: idKey(id), value: encodePositions(list) });
    }
    return operations;
  }

  private async remove(firstSeq: number): Promise<boolean> {
    const lt = placeKey({ seq: firstSeq, index: 0 });
    const old = await this.db.iterator({ gte: placeKey(placeAt(0)), lt, limit: STEP }).all();
    const entries = old.map(([key, value]) => decodeEntry(key, value));
    const operations: Operation[] = old.map(([key]) => ({ type: 'del', key }));
    for (const [id, positions] of await this.stored([...new Set(entries.map((entry) => entry.id))])) {
      const left = positions.filter(({ seq }) => seq >= firstSeq);
      const key = idKey(id);
      operations.push(
        left.length === 0 ? { type: 'del', key } : { type: 'put', key, value: encodePositions(left) },
      );
    }
    await this.db.batch(operations);
    return old.length === STEP;
  }

  private async stored(ids: readonly string[]): Promise<Map<string, Position[]>> {
    const values = await this.db.getMany(ids.map(idKey));
    const found = new Map<string, Position[]>();
    values.forEach((value, i) => {
      if (value) found.set(ids[i]!, decodePositions(value));
    });
    return found;
  }
}

async function noStep(): Promise<void> {}

/** The same outcome may be read twice: from the disk, and among those that are being written. */
function withPosition(known: readonly Position[] = [], placed: PlacedOutcome): Position[] {
  const isKnown = known.some(({ seq, index }) => seq === placed.seq && index === placed.index);
  return isKnown ? [...known] : [...known, positionOf(placed)];
}
