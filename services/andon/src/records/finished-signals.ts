import { type Outcome, type ReplyOf, type RequestOf, SIGNALS_MAX_LIMIT } from '@tps/contracts';
import { type Entry, type Place, placeNumber, type Position } from './record-entry';
import type { RecordReader } from './record-reader';
import type { RecordStore } from './record-store';

/** Entries that one page looks at. A rarer filter gets a short page and goes on from there. */
const MAX_LOOKS = 50_000;
/** Behind every place of the log. */
const END = placeNumber({ seq: 2 ** 39, index: 0 });

type Request = RequestOf<'finishedSignals'>;

/** Lists finished signals, newest first: chooses them in the index, and reads the records of one page from the log. */
export class FinishedSignals {
  constructor(
    private readonly store: RecordStore,
    private readonly reader: RecordReader,
  ) {}

  async page(request: Request): Promise<ReplyOf<'finishedSignals'>> {
    const { limit, cursor } = request;
    const limits = { entries: Math.min(limit, SIGNALS_MAX_LIMIT), looks: MAX_LOOKS };
    await this.store.flush();
    const before = cursor === undefined ? END : Math.min(Number(cursor), END);
    const { entries, next } = await this.store.walk(before, filterOf(request), limits);
    const positions = await this.store.positionsOf(entries.map(({ id }) => id));
    const current = entries.filter((entry) => isLatest(entry, positions.get(entry.id) ?? []));
    const outcomes = await this.reader.at(current);
    return { items: outcomes.flatMap(listed), next: next === null ? null : String(next) };
  }
}

function filterOf({ type, status, class: wantedClass, since }: Request): (entry: Entry) => boolean | 'end' {
  const fromMs = since === undefined ? -Infinity : Date.parse(since);
  const statuses = status && new Set<string>(status);
  return (entry) => {
    if (entry.timeMs < fromMs) return 'end';
    if (type !== undefined && entry.type !== type) return false;
    if (statuses && !statuses.has(entry.status)) return false;
    return wantedClass === undefined || entry.errorClass === wantedClass;
  };
}

/** The first final outcome of the latest run counts: earlier runs were run again, later outcomes are superseded. */
function isLatest(entry: Place, positions: readonly Position[]): boolean {
  const finals = positions.filter(({ final }) => final);
  const latestRun = Math.max(...finals.map(({ run }) => run));
  const counting = finals.find(({ run }) => run === latestRun);
  return counting?.seq === entry.seq && counting.index === entry.index;
}

function listed(outcome: Outcome | undefined): Outcome[] {
  if (!outcome) return [];
  const { result: _, ...rest } = outcome;
  return [rest];
}
