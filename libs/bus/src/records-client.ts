import { LOOKUP_MAX_IDS, type Outcome, type ReplyOf, type RequestOf } from '@tps/contracts';
import { ask } from './ask';
import { Batcher } from './batcher';
import type { Bus } from './connect';

/** The records could not be read, so it is unknown whether a signal has run. Never take this for "it has not run". */
export class RecordsUnavailableError extends Error {
  override readonly name = 'RecordsUnavailableError';
}

const LOOKUP_TIMEOUT_MS = 2_000;

/** Looks up signals in the records. Concurrent calls share requests: one is in flight, and the next ones gather. */
export class RecordsClient {
  private readonly lookups: Batcher<string, Outcome[]>;

  constructor(bus: Bus) {
    const send = (request: RequestOf<'lookup'>): Promise<ReplyOf<'lookup'>> =>
      ask(bus, 'lookup', request, { timeoutMs: LOOKUP_TIMEOUT_MS });
    this.lookups = new Batcher({ send: (ids) => readOutcomes(send, ids), maxItems: LOOKUP_MAX_IDS });
  }

  /**
   * @returns the outcomes of this signal, oldest first; empty when the log knows none
   * @throws RecordsUnavailableError
   */
  outcomesOf(id: string): Promise<Outcome[]> {
    return this.lookups.push(id);
  }
}

async function readOutcomes(
  send: (request: RequestOf<'lookup'>) => Promise<ReplyOf<'lookup'>>,
  ids: string[],
): Promise<Outcome[][]> {
  try {
    const known = await lookUpAll(ids, send);
    return ids.map((id) => known.get(id) ?? []);
  } catch (error) {
    if (error instanceof RecordsUnavailableError) throw error;
    throw new RecordsUnavailableError('the records do not answer', { cause: error });
  }
}

/**
 * Looks up any number of signals: sends at most `LOOKUP_MAX_IDS` ids at once, and asks again for the ids whose records
 * did not fit into the reply.
 *
 * @returns the outcomes of each signal that the log knows, oldest first
 * @throws RecordsUnavailableError when a reply leaves out every id that was asked for: asking again would not end
 */
export async function lookUpAll(
  ids: readonly string[],
  send: (request: RequestOf<'lookup'>) => Promise<ReplyOf<'lookup'>>,
): Promise<Map<string, Outcome[]>> {
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
