import { isOfLaterVersion } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { describeThrown } from '@tps/telemetry';
import { acknowledge, nak, LATER_MS, releaseDelayMs } from './acknowledgement';
import { type Conclusion, faulty, outcomeOf, releasedOutcome } from './conclusion';
import type { InFlightSignal } from './in-flight-signal';
import type { Delivery } from './lane-reader';
import { attemptsUsed } from './prior-attempts';
import { pendingOutcome, type Recorder } from './recorder';

/** The number of releases in a row for a fault of the worker; with their delays they take about 15 s. */
const MAX_FAULTS = 5;
/** After this number of deliveries, no release is without a delay. */
const PROMPT_DELIVERIES = 10;
const PROMPT_LIMIT_MS = 1_000;

export interface ReleaseDeps {
  context: ServiceContext;
  recorder: Recorder;
}

/**
 * Releases a signal, with a record that says this delivery was no attempt: the worker stops, the line is stopped, the
 * records do not answer or the handler found no room. Such a state may last for hours, so only the rate of these
 * releases is bounded, not their number.
 */
export async function releaseSignal(
  { context, recorder }: ReleaseDeps,
  inFlight: InFlightSignal,
  delayMs: number,
): Promise<void> {
  const attempts = await attemptsUsed(context.bus, inFlight).catch(() => null);
  // Unknown: without a record this delivery counts as an attempt, which errs on the safe side.
  if (!attempts) return nak(inFlight, delayMs || releaseDelayMs(inFlight));
  const outcome = releasedOutcome(inFlight, { workerId: context.instance, ...attempts });
  await recorder.recordAttempt(pendingOutcome(inFlight, outcome));
  nak(inFlight, delayMs || promptMs(inFlight));
}

/**
 * Records a fault of the worker itself. If the handler had started, nothing else is known of the attempt, so it ends the
 * run as a defect. Before the start, another worker may do better, so the signal is released, each time for longer. The
 * MAX_FAULTS-th time in a row ends it as `failed`, with the reason.
 */
export async function recordFault(
  { context, recorder }: ReleaseDeps,
  inFlight: InFlightSignal,
  error: unknown,
): Promise<void> {
  const { signal, hasStarted, attempt } = inFlight;
  const reason = describeThrown(error).message;
  const settle = (conclusion: Conclusion): Promise<void> => {
    const outcome = outcomeOf(conclusion, inFlight, context.instance);
    return recorder.settle(inFlight, pendingOutcome(inFlight, outcome));
  };
  if (hasStarted) {
    const message = `the worker failed to account for this attempt: ${reason}`;
    return settle(faulty(signal.signal_type, attempt, message));
  }
  const fault = `fault in the worker before the start: ${reason}`;
  const attempts = await attemptsUsed(context.bus, inFlight).catch(() => null);
  if (!attempts) return nak(inFlight, releaseDelayMs(inFlight));
  const outcome = releasedOutcome(inFlight, { workerId: context.instance, ...attempts, fault });
  if ((outcome.faults ?? 0) >= MAX_FAULTS) return settle(faulty(signal.signal_type, attempts.used, fault));
  await recorder.recordAttempt(pendingOutcome(inFlight, outcome));
  nak(inFlight, releaseDelayMs(inFlight));
}

function promptMs({ info }: InFlightSignal): number {
  return info.deliveries > PROMPT_DELIVERIES ? Math.random() * PROMPT_LIMIT_MS : 0;
}

/**
 * Moves a message that no worker can read to the dead letters, because it would come back for ever. A worker of a later
 * version can read what that version wrote, so such a message goes back to its lane.
 */
export function deadLetterUnreadable({ context, recorder }: ReleaseDeps, delivery: Delivery): void {
  const { msg, lane } = delivery;
  if (isOfLaterVersion(msg)) {
    context.log.warn('left to workers of a later version', { lane, subject: msg.subject });
    return nak(delivery, LATER_MS);
  }
  context.log.error('unreadable signal', { lane, subject: msg.subject });
  void recorder
    .keepUnreadable(delivery)
    .then(() => acknowledge(delivery))
    .catch((error: unknown) => context.log.warn('unreadable signal not kept', { error }));
}
