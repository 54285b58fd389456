import type { TrialGrant, TrialRequest } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';

const LIMIT_MS = 1_000;

/**
 * Asks jidoka for the one permit to try a stopped type.
 * @returns the epoch that the trial's outcome must carry, or null: another trial is under way, or nobody answers
 */
export async function claimTrial({ bus, instance }: ServiceContext, type: string): Promise<number | null> {
  const request: TrialRequest = { signal_type: type, worker_id: instance };
  try {
    const options = { timeout: LIMIT_MS };
    const reply = await bus.nc.request(bus.names.subjects.trial, JSON.stringify(request), options);
    const grant = reply.json<TrialGrant>();
    return grant.granted ? grant.epoch : null;
  } catch {
    return null;
  }
}
