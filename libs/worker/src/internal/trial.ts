import { ask } from '@tps/bus';
import type { LineView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { InFlightSignal } from './in-flight-signal';
import type { Records } from './prior-attempts';

const LIMIT_MS = 1_000;
/** How long after the pause only those are tried that never failed, if there are any. */
const GIVE_WAY_MS = 2_000;

/**
 * Asks jidoka for the one permit to try a stopped type.
 * @returns the epoch that the trial's outcome must carry, or null: another trial is under way, or nobody answers
 */
export async function claimTrial({ bus, instance }: ServiceContext, type: string): Promise<number | null> {
  const request = { signal_type: type, worker_id: instance };
  try {
    const grant = await ask(bus, 'trial', request, { timeoutMs: LIMIT_MS });
    return grant.granted ? grant.epoch : null;
  } catch {
    return null;
  }
}

/** What failed before is no fair trial: for a moment it leaves that to others of its lane that never ran. */
export async function yieldsTrial(
  records: Records,
  lines: LineView,
  inFlight: InFlightSignal,
): Promise<boolean> {
  const { until } = lines.circuit(inFlight.signal.signal_type) ?? {};
  const since = until ? Date.now() - Date.parse(until) : Infinity;
  if (inFlight.info.deliveries === 1 || inFlight.info.pending === 0 || since > GIVE_WAY_MS) return false;
  const prior = await records.priorAttemptsOf(inFlight);
  return prior.kind === 'run' && prior.attempt > 1;
}
