import { type Bus, messageAt } from '@tps/bus';
import { checkOutcome, jsonOf, type Outcome, type ReplyOf, type SignalRecord } from '@tps/contracts';
import type { Place } from './record-entry';

const READS_AT_ONCE = 16;
/** Leaves room for the rest of the answer below the broker's limit of 1 MiB. */
const ANSWER_BYTES = 900 * 1024;

/** Reads records back from the stream, each message once whatever it holds of the signals asked for. */
export class RecordReader {
  constructor(private readonly bus: Bus) {}

  /** The records of these signals, in the order asked; a signal without a position has none. */
  async read(
    ids: readonly string[],
    positionsById: ReadonlyMap<string, readonly Place[]>,
  ): Promise<ReplyOf<'lookup'>> {
    const bySeq = new Map<number, [id: string, index: number][]>();
    for (const [id, positions] of positionsById) {
      for (const { seq, index } of positions) {
        const places = bySeq.get(seq) ?? [];
        bySeq.set(seq, places);
        places.push([id, index]);
      }
    }
    const found = new Map<string, Outcome[]>();
    const seqs = [...bySeq.keys()].sort((a, b) => a - b);
    for (const [seq, outcomes] of await this.messages(seqs))
      collect({ seq, outcomes }, bySeq.get(seq)!, found);
    const known = [...new Set(ids)].filter((id) => found.has(id));
    return fitted(known.map((id) => ({ id, outcomes: found.get(id)! })));
  }

  /** The outcomes at these places; undefined where the log has forgotten one. */
  async at(places: readonly Place[]): Promise<(Outcome | undefined)[]> {
    const messages = await this.messages([...new Set(places.map(({ seq }) => seq))]);
    return places.map(({ seq, index }) => outcomeAt(messages.get(seq), seq, index));
  }

  private async messages(seqs: readonly number[]): Promise<Map<number, unknown[]>> {
    const messages = new Map<number, unknown[]>();
    for (let from = 0; from < seqs.length; from += READS_AT_ONCE) {
      const some = seqs.slice(from, from + READS_AT_ONCE);
      const read = await Promise.all(some.map((seq) => this.message(seq)));
      read.forEach((outcomes, i) => messages.set(some[i]!, outcomes));
    }
    return messages;
  }

  private async message(seq: number): Promise<unknown[]> {
    const message = await messageAt(this.bus, this.bus.names.streams.outcomes, seq);
    const items = message && jsonOf(message, `outcomes ${seq}`);
    return Array.isArray(items) ? (items as unknown[]) : [];
  }
}

/** The outcome at a place of a message; undefined where the log has forgotten it. */
function outcomeAt(items: unknown[] | undefined, seq: number, index: number): Outcome | undefined {
  const item = items?.[index];
  return item === undefined ? undefined : checkOutcome(item, `outcome ${index} of ${seq}`);
}

function collect(
  { seq, outcomes }: { seq: number; outcomes: unknown[] },
  places: [id: string, index: number][],
  into: Map<string, Outcome[]>,
): void {
  for (const [id, index] of places) {
    const outcome = outcomeAt(outcomes, seq, index);
    if (!outcome) continue;
    const known = into.get(id);
    if (known) known.push(outcome);
    else into.set(id, [outcome]);
  }
}

/** Keeps the records that fit into one message, at least the first, and names the ids of the others. */
export function fitted(records: SignalRecord[], limitBytes = ANSWER_BYTES): ReplyOf<'lookup'> {
  let bytes = 0;
  const taken = records.filter((record, i) => {
    const size = Buffer.byteLength(JSON.stringify(record));
    if (i > 0 && bytes + size > limitBytes) return false;
    bytes += size;
    return true;
  });
  if (taken.length === records.length) return { records };
  const kept = new Set(taken);
  return {
    records: taken,
    left_out: records.filter((record) => !kept.has(record)).map(({ id }) => id),
  };
}
