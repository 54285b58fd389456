import { join } from 'node:path';
import { type Figures, KeptFigures, type LogPlace } from './kept-figures';
import { type Database, openDatabase } from './record-database';
import {
  APPLIED_KEY,
  decodeEntry,
  decodePositions,
  encodeEntry,
  encodePositions,
  type Entry,
  entryOf,
  FIGURES_KEY,
  idKey,
  placeAt,
  type PlacedOutcome,
  placeKey,
  placeNumber,
  type Position,
  positionOf,
  putJson,
  type PutOperation,
} from './record-entry';

/** A process that finds an index in use takes the next folder. */
const MAX_FOLDERS = 16;
/** Entries that one step of a walk or of a removal reads. */
const STEP = 1_000;
/** Outcomes that are written together. More take more memory, and no less time. */
const WRITTEN_AT_ONCE = 2_000;
/** A start reads at least so many messages again, for the final outcomes that superseded ones follow. */
const REREAD_MESSAGES = 10_000;

type Operation = PutOperation | { type: 'del'; key: Buffer };

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
  private readonly figures = new KeptFigures();
  /** The entries are those of an earlier log, and must go before anything is read or written. */
  private outdated = false;
  /** Writers run one after another: each reads positions that it then writes. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly db: Database,
    private applied: LogPlace,
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
        applied ? (JSON.parse(applied.toString()) as LogPlace) : { created: '', seq: 0 },
      );
    }
    throw new Error(`${folder} is in use by ${MAX_FOLDERS} other processes`);
  }

  /** The last sequence of the log that the index holds. */
  get position(): number {
    return this.applied.seq;
  }

  /**
   * Restores the figures, and chooses the sequence from which to read a log so that index and figures become complete. The
   * index of another log, or of one that was set back, is emptied.
   */
  async startIn(log: { created: string; lastSeq: number }, figures: Figures): Promise<number> {
    if (log.created !== this.applied.created || log.lastSeq < this.applied.seq) this.restart(log.created);
    const stored = this.outdated ? undefined : await this.db.get(FIGURES_KEY);
    const countedTo = this.figures.restore(figures, log.created, stored);
    return Math.max(1, 1 + Math.min(this.applied.seq, countedTo, log.lastSeq - REREAD_MESSAGES));
  }

  /** Whether the restored figures do not have this message yet. */
  counts(seq: number): boolean {
    return this.figures.counts(seq);
  }

  /** Begins anew, because the log is another one. */
  restart(created: string): void {
    this.pending = [];
    this.figures.restart();
    this.applied = { created, seq: 0 };
    this.outdated = true;
  }

  /** Takes an outcome, which `flush` writes. An outcome that the index holds already is left out. */
  add({ seq, index, timeMs, outcome }: PlacedOutcome): void {
    if (seq <= this.applied.seq) return;
    const { signal_id, run, signal_type, status, error_class, final } = outcome;
    // The rest of the outcome, such as a result, must not stay in memory.
    const indexed = { signal_id, run, signal_type, status, error_class, final };
    this.pending.push({ seq, index, timeMs, outcome: indexed });
  }

  /** Writes all outcomes that were taken. The next call tries those again that the disk refuses. */
  flush(): Promise<void> {
    return this.pending.length === 0 ? Promise.resolve() : this.exclusively(() => this.writeAll());
  }

  /** The positions of each of these signals, oldest first. Signals that the log does not know are absent. */
  async positionsOf(ids: readonly string[]): Promise<Map<string, Position[]>> {
    const wanted = new Set(ids);
    if (this.outdated) await this.exclusively(noStep);
    const unwritten = [...this.writing, ...this.pending];
    const found = await this.stored(keysOf(ids));
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
      for (let left = limits.looks; left > 0;) {
        // The database returns fewer than asked for when they are large.
        const step = await iterator.nextv(Math.min(STEP, left));
        left -= step.length;
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

  private async clear(): Promise<void> {
    try {
      await this.db.clear();
    } catch (error) {
      this.outdated = true;
      throw error;
    }
  }

  private async writeAll(): Promise<void> {
    let newest = this.beginPart();
    while (newest) {
      await this.write({ created: this.applied.created, seq: newest.seq });
      // Outcomes of another log are written after this index was cleared.
      newest = this.outdated ? undefined : this.beginPart();
    }
  }

  /** Chooses the oldest outcomes that wait, whole messages. @returns the newest of them */
  private beginPart(): PlacedOutcome | undefined {
    let end = Math.min(WRITTEN_AT_ONCE, this.pending.length);
    while (end > 0 && this.pending[end]?.seq === this.pending[end - 1]!.seq) end += 1;
    this.writing = this.pending.slice(0, end);
    this.pending = this.pending.slice(end);
    return this.writing.at(-1);
  }

  private async write(applied: LogPlace): Promise<void> {
    const { created } = applied;
    // Read in the same turn as the outcomes that they have counted, so they have all of them and no later ones.
    const figures = this.pending.length === 0 ? this.figures.due(applied) : [];
    try {
      const operations = await this.operations(this.writing);
      operations.push(putJson(APPLIED_KEY, applied), ...figures);
      await this.db.batch(operations);
      // Another log may have begun meanwhile: then these entries are cleared before the next step.
      if (this.applied.created !== created) return;
      this.applied = applied;
    } catch (error) {
      if (this.applied.created === created) this.pending = [...this.writing, ...this.pending];
      throw error;
    } finally {
      this.writing = [];
    }
  }

  private async operations(outcomes: readonly PlacedOutcome[]): Promise<Operation[]> {
    const keys = keysOf(outcomes.map(({ outcome }) => outcome.signal_id));
    const positions = await this.stored(keys);
    const operations: Operation[] = [];
    for (const placed of outcomes) {
      const { signal_id, final } = placed.outcome;
      positions.set(signal_id, withPosition(positions.get(signal_id), placed));
      if (!final) continue;
      const value = encodeEntry(entryOf(placed), keys.get(signal_id)!);
      operations.push({ type: 'put', key: placeKey(placed), value });
    }
    for (const [id, list] of positions) {
      operations.push({ type: 'put', key: keys.get(id)!, value: encodePositions(list) });
    }
    return operations;
  }

  private async remove(firstSeq: number): Promise<boolean> {
    const lt = placeKey({ seq: firstSeq, index: 0 });
    const old = await this.db.iterator({ gte: placeKey(placeAt(0)), lt, limit: STEP }).all();
    const entries = old.map(([key, value]) => decodeEntry(key, value));
    const operations: Operation[] = old.map(([key]) => ({ type: 'del', key }));
    const keys = keysOf(entries.map(({ id }) => id));
    for (const [id, positions] of await this.stored(keys)) {
      const left = positions.filter(({ seq }) => seq >= firstSeq);
      const key = keys.get(id)!;
      operations.push(
        left.length === 0 ? { type: 'del', key } : { type: 'put', key, value: encodePositions(left) },
      );
    }
    await this.db.batch(operations);
    return old.length === STEP;
  }

  private async stored(keys: ReadonlyMap<string, Buffer>): Promise<Map<string, Position[]>> {
    const values = await this.db.getMany([...keys.values()]);
    const found = new Map<string, Position[]>();
    [...keys.keys()].forEach((id, i) => {
      const value = values[i];
      if (value) found.set(id, decodePositions(value));
    });
    return found;
  }
}

function keysOf(ids: readonly string[]): Map<string, Buffer> {
  return new Map(ids.map((id) => [id, idKey(id)]));
}

async function noStep(): Promise<void> {}

/** The same outcome may be read twice: from the disk, and among those that are being written. */
function withPosition(known: readonly Position[] = [], placed: PlacedOutcome): Position[] {
  const isKnown = known.some(({ seq, index }) => seq === placed.seq && index === placed.index);
  return isKnown ? [...known] : [...known, positionOf(placed)];
}
