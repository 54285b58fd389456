import { type Bus, latestAttempt, type RecordsClient } from '@tps/bus';
import { finalOutcome, type Outcome } from '@tps/contracts';
import type { InFlightSignal } from './in-flight-signal';
import type { OtherWorkers } from './other-workers';

/** The past of a signal that was delivered before, by the records. */
export type PriorAttempts =
  /** `last`: the latest record of this run. */
  | { kind: 'run'; attempt: number; last: Outcome | undefined }
  /** It has a final outcome (of a requeued signal, that of its latest run), and only its message was left over. */
  | { kind: 'finished'; outcome: Outcome }
  /** Another worker has it, because it was delivered to both. */
  | { kind: 'elsewhere'; worker: string };

/** The sources that know what happened to a signal before. */
export interface PastSources {
  bus: Bus;
  records: RecordsClient;
  others: OtherWorkers;
}

/**
 * Counts the attempts of a signal from records, because the broker's delivery count also grows by releases. Every failed
 * attempt and every release leaves a record with the delivery count of its moment. Deliveries beyond the latest record
 * vanished with the worker that had them, and each of those was an attempt. A delivery that a blocked worker did not
 * read was none.
 *
 * @throws RecordsUnavailableError
 */
export async function priorAttemptsOf(
  inFlight: InFlightSignal,
  { bus, records, others }: PastSources,
): Promise<PriorAttempts> {
  const { id, run } = inFlight.signal;
  const { last, vanished, used } = await attemptsUsed(bus, inFlight);
  if (vanished > 0 || inFlight.suspect) {
    const outcome = finalOutcome(await records.outcomesOf(id), run);
    if (outcome) return { kind: 'finished', outcome };
  }
  if (vanished > 0 || inFlight.readLate) {
    const { startedBy, unread } = await others.holdersOf(inFlight.signal);
    if (startedBy !== undefined) return { kind: 'elsewhere', worker: startedBy };
    return { kind: 'run', attempt: used + 1 - Math.min(vanished, unread), last };
  }
  return { kind: 'run', attempt: used + 1, last };
}

/**
 * Counts the attempts used up before this delivery. The stream alone knows them, so a release needs no other service.
 * @throws RecordsUnavailableError
 */
export async function attemptsUsed(
  bus: Bus,
  { signal, info, isInspected, attempt, last: known }: InFlightSignal,
): Promise<{ last: Outcome | undefined; vanished: number; used: number }> {
  if (info.deliveries === 1 || isInspected) return { last: known, vanished: 0, used: attempt - 1 };
  const last = await latestAttempt(bus, signal);
  const vanished = Math.max(0, info.deliveries - 1 - (last?.delivery ?? 0));
  return { last, vanished, used: (last?.attempt ?? 0) + vanished };
}
