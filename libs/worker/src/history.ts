import { headerValues, managerOf, type Bus } from '@tps/bus';
import type { LookupReply, LookupRequest, Outcome } from '@tps/contracts';
import type { Held } from './held';

/** What the records say of a signal that was delivered before. */
export type History =
  /** `last`: the latest record of this run. */
  | { kind: 'run'; attempt: number; last: Outcome | undefined }
  /** It has a final outcome: only its message was left over. */
  | { kind: 'finished'; outcome: Outcome };

/** The records could not be asked: the signal must not run blind. */
export class RecordsUnavailableError extends Error {
  override readonly name = 'RecordsUnavailableError';
}

const LOOKUP_LIMIT_MS = 2_000;

/**
 * Counts the attempts of a signal from records, because the broker's delivery count also grows by hand-backs. Every
 * failed attempt and every hand-back leaves a record with the delivery count of its moment; deliveries beyond the
 * latest record vanished with the worker that had them, and each of those was an attempt.
 */
export async function historyOf(bus: Bus, held: Held): Promise<History> {
  const { id, run } = held.signal;
  const { last, vanished, used } = await attemptsOf(bus, held);
  if (vanished > 0 || held.suspect) {
    const outcome = await finalOutcome(bus, id, run);
    if (outcome) return { kind: 'finished', outcome };
  }
  return { kind: 'run', attempt: used + 1, last };
}

/** Attempts used up before this delivery; the stream alone knows them, so that a hand-back needs nobody else. */
export async function attemptsOf(
  bus: Bus,
  { signal, info }: Held,
): Promise<{ last: Outcome | undefined; vanished: number; used: number }> {
  if (info.deliveries === 1) return { last: undefined, vanished: 0, used: 0 };
  const last = await lastAttempt(bus, signal.id, signal.run);
  const vanished = Math.max(0, info.deliveries - 1 - (last?.delivery ?? 0));
  return { last, vanished, used: (last?.attempt ?? 0) + vanished };
}

/** The latest record of a failed attempt or hand-back in this run. */
async function lastAttempt(bus: Bus, id: string, run: number): Promise<Outcome | undefined> {
  try {
    const jsm = await managerOf(bus);
    const message = await jsm.direct.getMessage(bus.names.streams.outcomes, {
      last_by_subj: bus.names.subjects.outcomeAttempt(id),
    });
    const outcome = message?.json<Outcome[]>()[0];
    return outcome?.run === run ? outcome : undefined;
  } catch (error) {
    throw new RecordsUnavailableError('the stream of outcomes does not answer', { cause: error });
  }
}

async function finalOutcome(bus: Bus, id: string, run: number): Promise<Outcome | undefined> {
  try {
    const request: LookupRequest = { ids: [id] };
    const options = { timeout: LOOKUP_LIMIT_MS };
    const reply = await bus.nc.request(bus.names.subjects.lookup, JSON.stringify(request), options);
    if (headerValues(reply.headers, 'Nats-Service-Error').length > 0)
      throw new RecordsUnavailableError(reply.string());
    const { records } = reply.json<LookupReply>();
    return records[0]?.outcomes.find((outcome) => outcome.final && outcome.run === run);
  } catch (error) {
    throw new RecordsUnavailableError('the records do not answer', { cause: error });
  }
}
