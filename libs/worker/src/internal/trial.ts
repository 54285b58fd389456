import { ask } from '@tps/bus';
import { type CircuitRecord, type RequestOf, trialFromMs } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { InFlightSignal } from './in-flight-signal';

const LIMIT_MS = 1_000;
/** Delay after a refused trial: another signal is being tried. */
const AFTER_TRIAL_MS = 3_000;
/** A line that starts again meanwhile gets its waiting signals back within this time. */
const LONGEST_MS = 10_000;
const JITTER_MS = 500;

/**
 * Asks jidoka for the one permit to try a stopped type.
 * @returns the epoch that the trial's outcome must carry, or null: another trial is under way, or nobody answers
 */
export async function claimTrial(
  { bus, instance }: ServiceContext,
  type: string,
  failedBefore: boolean,
): Promise<number | null> {
  const request: RequestOf<'trial'> = { signal_type: type, worker_id: instance };
  if (failedBefore) request.failed_before = true;
  try {
    const grant = await ask(bus, 'trial', request, { timeoutMs: LIMIT_MS });
    return grant.granted ? grant.epoch : null;
  } catch {
    return null;
  }
}

/**
 * Tells whether an earlier attempt or run of this signal failed, or ended with its worker. Such a signal may be what
 * stopped its line. A failed trial counts too, although it used up no attempt.
 */
export function hasFailedBefore({ signal, last, attempt }: InFlightSignal): boolean {
  return signal.run > 0 || attempt > 1 || last?.error_class !== undefined;
}

/** How long a signal waits that is not the trial of its line. It comes back when it may be tried, or else soon. */
export function notTriedMs(circuit: CircuitRecord | undefined, failedBefore: boolean, nowMs: number): number {
  const leftMs = circuit ? trialFromMs(circuit, failedBefore) - nowMs : 0;
  if (leftMs <= 0) return AFTER_TRIAL_MS;
  return Math.min(leftMs, LONGEST_MS) + Math.random() * JITTER_MS;
}
