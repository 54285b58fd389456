import { type Bus, messageAt } from '@tps/bus';
import {
  type AndonEvent,
  type AndonEventKind,
  type Colour,
  parseAndonEvent,
  type ReplyOf,
  type RequestOf,
} from '@tps/contracts';

/** The fields by which a page is chosen. The events themselves stay in the stream. */
interface Entry {
  seq: number;
  id: string;
  atMs: number;
  line: string;
  colour: Colour;
  event: AndonEventKind;
  rule: string;
}

/** The index covers so many events; only the stream has older ones. */
const MAX_ENTRIES = 200_000;
const READS_AT_ONCE = 16;
/** Leaves room for the rest of the answer below the broker's limit of 1 MiB. */
const ANSWER_BYTES = 900 * 1024;
export const MAX_PAGE = 1_000;

/** The request for a page is not one that andon understands. */
class HistoryRequestError extends Error {
  override readonly name = 'HistoryRequestError';
}

interface Answers {
  resumed: number;
  restoreMs: number;
  acknowledged: number;
  acknowledgeMs: number;
}
const noAnswers = (): Answers => ({ resumed: 0, restoreMs: 0, acknowledged: 0, acknowledgeMs: 0 });

/** Pages of the stream ANDON, newest first. */
export class AndonHistory {
  private entries: Entry[] = [];
  private answered = noAnswers();

  constructor(
    private readonly bus: Bus,
    private readonly pageSize: number,
  ) {}

  add({ id, at, line, colour, event, rule, acknowledge_ms, restore_ms }: AndonEvent, seq: number): void {
    this.entries.push({ seq, id, atMs: Date.parse(at), line, colour, event, rule });
    if (this.entries.length > MAX_ENTRIES) this.entries = this.entries.slice(-MAX_ENTRIES / 2);
    if (event !== 'resumed') return;
    const { answered } = this;
    answered.resumed += 1;
    answered.restoreMs += restore_ms ?? 0;
    if (acknowledge_ms === undefined) return;
    answered.acknowledged += 1;
    answered.acknowledgeMs += acknowledge_ms;
  }

  /** The stream is another one. */
  restart(): void {
    this.entries = [];
    this.answered = noAnswers();
  }

  /** Whether an event has this id. Looks at all entries, so it is for errors only. */
  knows(id: string): boolean {
    return this.entries.some((entry) => entry.id === id);
  }

  /** How people answered, over all that the stream holds. A call without an acknowledgement says nothing of its mean. */
  answers(): { calls: number; mean_acknowledge_ms: number | null; mean_restore_ms: number | null } {
    const { resumed, acknowledged, acknowledgeMs, restoreMs } = this.answered;
    const mean = (sum: number, of: number): number | null => (of === 0 ? null : Math.round(sum / of));
    return {
      calls: resumed,
      mean_acknowledge_ms: mean(acknowledgeMs, acknowledged),
      mean_restore_ms: mean(restoreMs, resumed),
    };
  }

  async page(request: RequestOf<'history'>): Promise<ReplyOf<'history'>> {
    const limit = Math.min(Math.max(1, request.limit ?? this.pageSize), MAX_PAGE);
    const matches = filter(request);
    const seqs: number[] = [];
    // Look for one more than the limit, to know whether there is a next page.
    for (let i = this.before(request.cursor) - 1; i >= 0 && seqs.length <= limit; i -= 1) {
      const entry = this.entries[i]!;
      if (matches(entry)) seqs.push(entry.seq);
    }
    return fitted(await this.read(seqs.slice(0, limit)), seqs.length > limit);
  }

  /** How many entries lie before the cursor. */
  private before(cursor: string | undefined): number {
    if (cursor === undefined) return this.entries.length;
    const seq = Number(cursor);
    if (!Number.isSafeInteger(seq) || seq < 1) {
      throw new HistoryRequestError('cursor must be the `next` of the page before');
    }
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle]!.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private async read(seqs: number[]): Promise<{ seq: number; event: AndonEvent }[]> {
    const items: { seq: number; event: AndonEvent }[] = [];
    for (let from = 0; from < seqs.length; from += READS_AT_ONCE) {
      const some = seqs.slice(from, from + READS_AT_ONCE);
      const found = await Promise.all(
        some.map((seq) => messageAt(this.bus, this.bus.names.streams.andon, seq)),
      );
      for (const message of found) {
        if (message)
          items.push({ seq: message.seq, event: parseAndonEvent(message, `event ${message.seq}`) });
      }
    }
    return items;
  }
}

/** Cuts the page to the size of one message. The rest begins the next page. */
function fitted(
  found: { seq: number; event: AndonEvent }[],
  more: boolean,
  limitBytes = ANSWER_BYTES,
): ReplyOf<'history'> {
  let bytes = 0;
  const over = found.findIndex(({ event }, i) => {
    bytes += Buffer.byteLength(JSON.stringify(event));
    return i > 0 && bytes > limitBytes;
  });
  const taken = over < 0 ? found : found.slice(0, over);
  const last = taken.at(-1);
  const next = (more || over >= 0) && last ? String(last.seq) : null;
  return { items: taken.map(({ event }) => event), next };
}

function filter({
  line,
  colour,
  event,
  rule,
  id,
  since,
  until,
}: RequestOf<'history'>): (entry: Entry) => boolean {
  const fromMs = since === undefined ? -Infinity : Date.parse(since);
  const toMs = until === undefined ? Infinity : Date.parse(until);
  return (entry) =>
    (line === undefined || entry.line === line) &&
    (colour === undefined || entry.colour === colour) &&
    (event === undefined || entry.event === event) &&
    (rule === undefined || entry.rule === rule) &&
    (id === undefined || entry.id === id) &&
    entry.atMs >= fromMs &&
    entry.atMs < toMs;
}
