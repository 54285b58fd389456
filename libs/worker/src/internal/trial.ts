import { ask } from '@tps/bus';
import { type CircuitRecord, type RequestOf, trialFromMs } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { InFlightSignal } from './in-flight-signal';

const LIMIT_MS = 1_000;
/** Delay after a refused trial: another signal is being tried. */
const AFTER_TRIAL_MS = 3_000;
/** If the line starts again meanwhile, its waiting signals come back within this time. */
const LONGEST_MS = 10_000;
const JITTER_MS = 500;

/**
 * Asks jidoka for the one permit to try a stopped type.
 * @returns the epoch that the trial's outcome must carry; null if another trial is running or jidoka does not answer
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

/** Delay of a signal that is not the trial of its line: until it may be tried, within bounds. */
export function notTriedMs(circuit: CircuitRecord | undefined, failedBefore: boolean, nowMs: number): number {
  const leftMs = circuit ? trialFromMs(circuit, failedBefore) - nowMs : 0;
  if (leftMs <= 0) return AFTER_TRIAL_MS;
  return Math.min(leftMs, LONGEST_MS) + Math.random() * JITTER_MS;
}
