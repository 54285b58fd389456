import {
  attemptIn,
  LOOKUP_MAX_IDS,
  type Outcome,
  type ReplyOf,
  type RequestOf,
  type RunKey,
  runKey,
  type Signal,
} from '@tps/contracts';
import { ask } from './ask';
import { Batcher } from './batcher';
import type { Bus } from './connect';
import { managerOf } from './streams';

/** The records did not answer, so it is unknown whether a signal has run. Never take this for "it has not run". */
export class RecordsUnavailableError extends Error {
  override readonly name = 'RecordsUnavailableError';
}

/** Identifies one run of a signal. */
type Run = Pick<Signal, 'id' | 'run'>;
type Lookup = (request: RequestOf<'lookup'>) => Promise<ReplyOf<'lookup'>>;

const LOOKUP_TIMEOUT_MS = 2_000;

/**
 * Looks up signals in the records. Concurrent calls share requests: while one is in flight, the ids of the next one
 * gather.
 */
export class RecordsClient {
  private readonly lookups: Batcher<string, Outcome[]>;

  constructor(bus: Bus) {
    const send: Lookup = (request) => ask(bus, 'lookup', request, { timeoutMs: LOOKUP_TIMEOUT_MS });
    this.lookups = new Batcher({ send: (ids) => readOutcomes(send, ids), maxItems: LOOKUP_MAX_IDS });
  }

  /**
   * @returns the outcomes of a signal, oldest first; empty if the records know none
   * @throws RecordsUnavailableError
   */
  outcomesOf(id: string): Promise<Outcome[]> {
    return this.lookups.push(id);
  }

  /**
   * @returns which of these runs have a final outcome
   * @throws RecordsUnavailableError
   */
  async finishedRuns(runs: readonly Run[]): Promise<Set<RunKey>> {
    const outcomes = await Promise.all(runs.map(({ id }) => this.outcomesOf(id)));
    const finals = outcomes.flat().filter(({ final }) => final);
    return new Set(finals.map(({ signal_id: id, run }) => runKey({ id, run })));
  }
}

/**
 * Reads the latest record of a failed attempt or a release in this run. It asks the stream itself, so that no service
 * needs to be up.
 *
 * @returns undefined if this run has no such record
 * @throws RecordsUnavailableError
 */
export async function latestAttempt(bus: Bus, { id, run }: Run): Promise<Outcome | undefined> {
  const query = { last_by_subj: bus.names.subjects.outcomeAttempt(id) };
  try {
    const jsm = await managerOf(bus);
    const message = await jsm.direct.getMessage(bus.names.streams.outcomes, query);
    const outcome = message ? attemptIn(message) : undefined;
    return outcome?.run === run ? outcome : undefined;
  } catch (error) {
    throw new RecordsUnavailableError('the stream of outcomes does not answer', { cause: error });
  }
}

async function readOutcomes(send: Lookup, ids: string[]): Promise<Outcome[][]> {
  try {
    const known = await lookUpAll(ids, send);
    return ids.map((id) => known.get(id) ?? []);
  } catch (error) {
    if (error instanceof RecordsUnavailableError) throw error;
    throw new RecordsUnavailableError('the records do not answer', { cause: error });
  }
}

/**
 * Looks up any number of signals. It sends at most `LOOKUP_MAX_IDS` ids at once, and asks again for the ids whose
 * records did not fit into the reply.
 *
 * @returns the outcomes of each signal that the records know, oldest first
 * @throws RecordsUnavailableError if a reply omits every requested id, because asking again would not end
 */
export async function lookUpAll(ids: readonly string[], send: Lookup): Promise<Map<string, Outcome[]>> {
  const known = new Map<string, Outcome[]>();
  let open = [...new Set(ids)];
  while (open.length > 0) {
    const batch = open.slice(0, LOOKUP_MAX_IDS);
    const { records, left_out = [] } = await send({ ids: batch });
    if (left_out.length >= batch.length) {
      throw new RecordsUnavailableError(`the records of ${batch[0]} do not fit into a reply`);
    }
    for (const { id, outcomes } of records) known.set(id, outcomes);
    open = [...left_out, ...open.slice(LOOKUP_MAX_IDS)];
  }
  return known;
}
