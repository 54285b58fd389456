import {
  ERROR_CLASSES,
  FINAL_STATUSES,
  type Outcome,
  type ReplyOf,
  type RequestOf,
  SIGNALS_MAX_LIMIT,
} from '@tps/contracts';
import { TwoGenerationMap, type LoggedOutcome } from '@tps/fleet';
import { placeOf, positionAt } from './record-index';
import type { RecordReader } from './record-reader';

const KEPT = 100_000;

/**
 * The latest outcomes that count, in the order of the log, as numbers: what filters ask for, and where the log has the
 * rest. So a page costs a walk over arrays and the reading of its own records, and the memory is fixed.
 */
export class FinishedSignals {
  private readonly places: Float64Array;
  private readonly times: Float64Array;
  private readonly types: Uint16Array;
  private readonly statuses: Uint8Array;
  private readonly classes: Uint8Array;
  private readonly typeNumbers = new Map<string, number>();
  /** Of signals that were run again: an earlier outcome is no longer what became of them. */
  private latestRuns = new TwoGenerationMap<number>();
  private count = 0;

  constructor(
    private readonly reader: RecordReader,
    private readonly kept = KEPT,
  ) {
    this.places = new Float64Array(kept);
    this.times = new Float64Array(kept);
    this.types = new Uint16Array(kept);
    this.statuses = new Uint8Array(kept);
    this.classes = new Uint8Array(kept);
  }

  /** The log is another one: places in the old one are of no use. */
  restart(): void {
    this.count = 0;
    this.latestRuns = new TwoGenerationMap();
  }

  take({ outcome, seq, index, timeMs, superseded }: LoggedOutcome): void {
    if (!outcome.final || superseded) return;
    const { signal_id, run, signal_type, status, error_class } = outcome;
    if (run > 0 && run > (this.latestRuns.get(signal_id) ?? 0)) this.latestRuns.set(signal_id, run);
    const at = this.count % this.kept;
    this.count += 1;
    this.places[at] = placeOf(seq, index);
    this.times[at] = timeMs;
    this.types[at] = this.typeNumber(signal_type);
    this.statuses[at] = (FINAL_STATUSES as readonly string[]).indexOf(status);
    this.classes[at] = error_class ? ERROR_CLASSES.indexOf(error_class) : ERROR_CLASSES.length;
  }

  async page({
    type,
    status,
    class: wantedClass,
    since,
    limit,
    cursor,
  }: RequestOf<'finishedSignals'>): Promise<ReplyOf<'finishedSignals'>> {
    const wanted = Math.min(limit, SIGNALS_MAX_LIMIT);
    const fromMs = since === undefined ? -Infinity : Date.parse(since);
    const before = cursor === undefined ? Infinity : Number(cursor);
    const typeNumber = type === undefined ? undefined : (this.typeNumbers.get(type) ?? -1);
    const statuses = status && new Set(status.map((one) => FINAL_STATUSES.indexOf(one)));
    const classNumber = wantedClass && ERROR_CLASSES.indexOf(wantedClass);
    const found: number[] = [];
    const oldest = Math.max(0, this.count - this.kept);
    for (let n = this.count - 1; n >= oldest && found.length <= wanted; n -= 1) {
      const at = n % this.kept;
      const place = this.places[at]!;
      if (this.times[at]! < fromMs) break;
      if (place >= before) continue;
      if (typeNumber !== undefined && this.types[at] !== typeNumber) continue;
      if (statuses && !statuses.has(this.statuses[at]!)) continue;
      if (classNumber !== undefined && this.classes[at] !== classNumber) continue;
      found.push(place);
    }
    // One more than asked for was looked for: it tells whether there is another page.
    const page = found.slice(0, wanted);
    const outcomes = await this.reader.at(page.map(positionAt));
    const next = found.length > wanted ? String(page.at(-1)) : null;
    return { items: outcomes.flatMap((outcome) => this.listed(outcome)), next };
  }

  private listed(outcome: Outcome | undefined): Outcome[] {
    if (!outcome || outcome.run < (this.latestRuns.get(outcome.signal_id) ?? 0)) return [];
    const { result: _, ...rest } = outcome;
    return [rest];
  }

  private typeNumber(type: string): number {
    const known = this.typeNumbers.get(type);
    if (known !== undefined) return known;
    this.typeNumbers.set(type, this.typeNumbers.size);
    return this.typeNumbers.size - 1;
  }
}
