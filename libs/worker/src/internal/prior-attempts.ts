import { ask, Batcher, type Bus, managerOf } from '@tps/bus';
import { attemptIn, LOOKUP_MAX_IDS, type Outcome } from '@tps/contracts';
import type { InFlightSignal } from './in-flight-signal';

/** What the records say of a signal that was delivered before. */
export type PriorAttempts =
  /** `last`: the latest record of this run. */
  | { kind: 'run'; attempt: number; last: Outcome | undefined }
  /** It has a final outcome: only its message was left over. */
  | { kind: 'finished'; outcome: Outcome };

/** The records could not be asked: the signal must not run blind. */
export class RecordsUnavailableError extends Error {
  override readonly name = 'RecordsUnavailableError';
}

const LOOKUP_LIMIT_MS = 2_000;

/** Asks for what is recorded of signals that may have run before. */
export class Records {
  /** After an outage every signal is asked for: while one question is under way the next gather, as on the way in. */
  private readonly outcomes = new Batcher<string, Outcome[]>({
    send: (ids) => outcomesOf(this.bus, ids),
    maxItems: LOOKUP_MAX_IDS,
  });

  constructor(private readonly bus: Bus) {}

  /**
   * Counts the attempts of a signal from records, because the broker's delivery count also grows by hand-backs. Every
   * failed attempt and every hand-back leaves a record with the delivery count of its moment; deliveries beyond the
   * latest record vanished with the worker that had them, and each of those was an attempt.
   *
   * @throws RecordsUnavailableError
   */
  async priorAttemptsOf(inFlight: InFlightSignal): Promise<PriorAttempts> {
    const { id, run } = inFlight.signal;
    const { last, vanished, used } = await attemptsUsed(this.bus, inFlight);
    if (vanished > 0 || inFlight.suspect) {
      const outcomes = await this.outcomes.push(id);
      const outcome = outcomes.find((one) => one.final && one.run === run);
      if (outcome) return { kind: 'finished', outcome };
    }
    return { kind: 'run', attempt: used + 1, last };
  }
}

/** Attempts used up before this delivery; the stream alone knows them, so that a hand-back needs nobody else. */
export async function attemptsUsed(
  bus: Bus,
  { signal, info }: InFlightSignal,
): Promise<{ last: Outcome | undefined; vanished: number; used: number }> {
  if (info.deliveries === 1) return { last: undefined, vanished: 0, used: 0 };
  const last = await latestAttempt(bus, signal.id, signal.run);
  const vanished = Math.max(0, info.deliveries - 1 - (last?.delivery ?? 0));
  return { last, vanished, used: (last?.attempt ?? 0) + vanished };
}

/** The latest record of a failed attempt or hand-back in this run. */
async function latestAttempt(bus: Bus, id: string, run: number): Promise<Outcome | undefined> {
  try {
    const jsm = await managerOf(bus);
    const message = await jsm.direct.getMessage(bus.names.streams.outcomes, {
      last_by_subj: bus.names.subjects.outcomeAttempt(id),
    });
    const outcome = message ? attemptIn(message) : undefined;
    return outcome?.run === run ? outcome : undefined;
  } catch (error) {
    throw new RecordsUnavailableError('the stream of outcomes does not answer', { cause: error });
  }
}

/** @returns the outcomes of each id, in the order asked */
async function outcomesOf(bus: Bus, ids: string[]): Promise<Outcome[][]> {
  const known = new Map<string, Outcome[]>();
  try {
    for (let open = ids; open.length > 0;) {
      const options = { timeoutMs: LOOKUP_LIMIT_MS };
      const { records, left_out = [] } = await ask(bus, 'lookup', { ids: open }, options);
      // It would leave out the same for ever.
      if (left_out.length >= open.length) throw new RecordsUnavailableError('the records do not fit');
      for (const { id, outcomes } of records) known.set(id, outcomes);
      open = left_out;
    }
  } catch (error) {
    throw new RecordsUnavailableError('the records do not answer', { cause: error });
  }
  return ids.map((id) => known.get(id) ?? []);
}
