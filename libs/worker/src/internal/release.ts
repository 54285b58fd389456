import { isOfLaterVersion } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { describeThrown } from '@tps/telemetry';
import { acknowledge, nak, LATER_MS, releaseDelayMs } from './acknowledgement';
import type { InFlightSignal } from './in-flight-signal';
import { attemptsUsed } from './prior-attempts';
import type { Delivery } from './lane-reader';
import { faulty, outcomeOf, releasedOutcome } from './conclusion';
import type { Recorder } from './recorder';

export const NO_TRACE = { traceparent: '' };
/** Releases in a row for a fault of the worker, about 15 s in all with their delays. */
export const MAX_FAULTS = 5;
/** Number of deliveries after which no release is without a delay. */
const PROMPT_DELIVERIES = 10;
const PROMPT_LIMIT_MS = 1_000;

interface Desk {
  context: ServiceContext;
  recorder: Recorder;
}

/**
 * Releases a signal, with a record that says this delivery was no attempt: the worker stops, the line is stopped, the
 * records are away or the handler found no room. Such a state may last for hours, so only the rate of these releases is
 * bounded, not their number.
 */
export async function releaseSignal(
  { context, recorder }: Desk,
  inFlight: InFlightSignal,
  delayMs: number,
): Promise<void> {
  const attempts = await attemptsUsed(context.bus, inFlight).catch(() => null);
  // Unknown: without a record this delivery counts as an attempt, which errs on the safe side.
  if (!attempts) return nak(inFlight, delayMs || releaseDelayMs(inFlight));
  const outcome = releasedOutcome(inFlight, { workerId: context.instance, ...attempts });
  await recorder.recordAttempt({ outcome, trace: inFlight.trace ?? NO_TRACE });
  nak(inFlight, delayMs || promptMs(inFlight));
}

/**
 * Releases a signal because the worker itself failed before the handler started. Another worker may do better, so the
 * signal comes back, each time later. The MAX_FAULTS-th time in a row ends it as `failed`, with the reason.
 */
export async function releaseFaulty(
  { context, recorder }: Desk,
  inFlight: InFlightSignal,
  error: unknown,
): Promise<void> {
  const fault = `fault in the worker before the start: ${describeThrown(error).message}`;
  const attempts = await attemptsUsed(context.bus, inFlight).catch(() => null);
  if (!attempts) return nak(inFlight, releaseDelayMs(inFlight));
  const outcome = releasedOutcome(inFlight, { workerId: context.instance, ...attempts, fault });
  if ((outcome.faults ?? 0) >= MAX_FAULTS)
    return settleFault({ context, recorder }, inFlight, attempts.used, fault);
  await recorder.recordAttempt({ outcome, trace: inFlight.trace ?? NO_TRACE });
  nak(inFlight, releaseDelayMs(inFlight));
}

/** Ends the run as a defect, because nothing else is known of it after a fault of the worker. */
export async function settleFault(
  { context, recorder }: Desk,
  inFlight: InFlightSignal,
  attempt: number,
  message: string,
): Promise<void> {
  const { reply_to, signal_type } = inFlight.signal;
  const conclusion = faulty(signal_type, attempt, message);
  const outcome = outcomeOf(conclusion, {
    inFlight,
    workerId: context.instance,
    startedMs: Date.now(),
    processMs: 0,
    traceId: inFlight.trace?.traceparent.split('-')[1] ?? '',
  });
  const trace = inFlight.trace ?? NO_TRACE;
  await recorder.settle(inFlight, conclusion, reply_to ? { outcome, trace, reply_to } : { outcome, trace });
}

function promptMs({ info }: InFlightSignal): number {
  return info.deliveries > PROMPT_DELIVERIES ? Math.random() * PROMPT_LIMIT_MS : 0;
}

/**
 * A message that no worker can read would come back for ever: it is kept as a dead letter and taken out. A worker of a
 * later version can read what that version wrote, so such a message goes back to its lane.
 */
export function deadLetterUnreadable({ context, recorder }: Desk, delivery: Delivery): void {
  const { msg, lane } = delivery;
  if (isOfLaterVersion(msg)) {
    context.log.warn('left to workers of a later version', { lane, subject: msg.subject });
    return nak(delivery, LATER_MS);
  }
  context.log.error('unreadable signal', { lane, subject: msg.subject });
  const kept = recorder.keepUnreadable(delivery);
  void kept
    .then(() => acknowledge(delivery))
    .catch((error: unknown) => context.log.warn('not kept', { error }));
}
