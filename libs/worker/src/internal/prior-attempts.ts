import { type Bus, latestAttempt, RecordsClient } from '@tps/bus';
import type { Outcome } from '@tps/contracts';
import type { InFlightSignal } from './in-flight-signal';
import type { OtherWorkers } from './other-workers';

/** The past of a signal that was delivered before, by the records. */
export type PriorAttempts =
  /** `last`: the latest record of this run. */
  | { kind: 'run'; attempt: number; last: Outcome | undefined }
  /** It has a final outcome: only its message was left over. */
  | { kind: 'finished'; outcome: Outcome }
  /** Another worker has it: it was delivered to both. */
  | { kind: 'elsewhere'; worker: string };

/** Asks for what is recorded of signals that may have run before. */
export class Records {
  private readonly client: RecordsClient;

  constructor(
    private readonly bus: Bus,
    private readonly others: OtherWorkers,
  ) {
    this.client = new RecordsClient(bus);
  }

  /**
   * Counts the attempts of a signal from records, because the broker's delivery count also grows by hand-backs. Every
   * failed attempt and every hand-back leaves a record with the delivery count of its moment; deliveries beyond the
   * latest record vanished with the worker that had them, and each of those was an attempt. A delivery that a blocked
   * worker did not read was none.
   *
   * @throws RecordsUnavailableError
   */
  async priorAttemptsOf(inFlight: InFlightSignal): Promise<PriorAttempts> {
    const { id, run } = inFlight.signal;
    const { last, vanished, used } = await attemptsUsed(this.bus, inFlight);
    if (vanished > 0 || inFlight.suspect) {
      const outcomes = await this.client.outcomesOf(id);
      const outcome = outcomes.find((one) => one.final && one.run === run);
      if (outcome) return { kind: 'finished', outcome };
    }
    if (vanished > 0 || inFlight.readLate) {
      const { startedBy, unread } = await this.others.holdersOf(inFlight.signal);
      if (startedBy !== undefined) return { kind: 'elsewhere', worker: startedBy };
      return { kind: 'run', attempt: used + 1 - Math.min(vanished, unread), last };
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
  const last = await latestAttempt(bus, signal);
  const vanished = Math.max(0, info.deliveries - 1 - (last?.delivery ?? 0));
  return { last, vanished, used: (last?.attempt ?? 0) + vanished };
}
