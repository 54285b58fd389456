import type { CircuitRecord, Outcome } from '@tps/contracts';

/** The equal defects as the record of a circuit holds them. */
export type DefectRecords = NonNullable<CircuitRecord['defects']>;

const DEFECTS_MS = 300_000;
const MAX_FINGERPRINTS = 100;
/** Signals that a record names, 66 bytes each. */
const MAX_RECORDED = 250;

/** Counts the signals that showed the same defect within five minutes. */
export class EqualDefects {
  /** By fingerprint, the latest last: the signals, each with its latest time in milliseconds. */
  private readonly defects = new Map<string, Map<string, number>>();

  /** @param known the counts of the record, from before the circuit last changed */
  constructor(known: DefectRecords = []) {
    for (const { fingerprint, signals } of known) {
      this.defects.set(fingerprint, new Map(signals.map(({ id, at }) => [id, Date.parse(at)])));
    }
  }

  /** Counts distinct signals: a signal that keeps failing does not prove that the line is at fault. */
  add(
    { fingerprint, message, signal_id }: Outcome,
    timeMs: number,
  ): { fingerprint: string; signals: number } {
    const mark = fingerprint ?? message;
    const signals = this.defects.get(mark) ?? new Map<string, number>();
    this.defects.delete(mark);
    this.defects.set(mark, signals.set(signal_id, timeMs));
    for (const [id, atMs] of signals) if (atMs <= timeMs - DEFECTS_MS) signals.delete(id);
    const [oldest] = this.defects.keys();
    if (this.defects.size > MAX_FINGERPRINTS && oldest !== undefined) this.defects.delete(oldest);
    return { fingerprint: mark, signals: signals.size };
  }

  /** The counts for the record, which leaves out the oldest fingerprints when there are too many signals. */
  at(timeMs: number): DefectRecords {
    const records: DefectRecords = [];
    let room = MAX_RECORDED;
    for (const [fingerprint, known] of [...this.defects].reverse()) {
      const recent = [...known].filter(([, atMs]) => atMs > timeMs - DEFECTS_MS);
      const signals = recent.map(([id, atMs]) => ({ id, at: new Date(atMs).toISOString() }));
      room -= signals.length;
      if (room < 0) break;
      if (signals.length > 0) records.unshift({ fingerprint, signals });
    }
    return records;
  }
}
