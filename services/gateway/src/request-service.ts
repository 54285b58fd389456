import type { MsgHdrs } from '@nats-io/transport-node';
import { ask, type Bus, NoReplyError } from '@tps/bus';
import { type ReplyOf, type SingleName, type RequestOf, REQUESTS, type ServiceName } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import { ApiError } from './problem';
import { retryWhileRestarting } from './retry-while-restarting';

export interface ServiceRequest {
  limitMs: number;
  headers?: MsgHdrs | undefined;
  /** With it, a service whose heartbeat was seen lately is asked again: it is probably restarting. */
  fleet?: FleetView | undefined;
}

/**
 * Sends a request to the service that answers it.
 *
 * @throws ApiError UNAVAILABLE when the service does not answer in time, or answers that it failed
 */
export function requestService<N extends SingleName>(
  bus: Bus,
  name: N,
  request: RequestOf<N>,
  { limitMs, headers, fleet }: ServiceRequest,
): Promise<ReplyOf<N>> {
  const { service } = REQUESTS[name];
  const options = { timeoutMs: limitMs, ...(headers ? { headers } : {}) };
  const isAlive = (): boolean => fleet !== undefined && fleet.of(service).length > 0;
  return replyOf(bus, service, () => ask(bus, name, request, options), isAlive);
}

/** Awaits the reply of a service. Throws as `requestService` does. */
export async function replyOf<A>(
  bus: Bus,
  service: ServiceName,
  send: () => Promise<A>,
  isAlive: () => boolean = () => false,
): Promise<A> {
  if (!bus.connected) throw new ApiError('UNAVAILABLE', 'Not connected to NATS.');
  const result = await retryWhileRestarting(
    () => settled(send()),
    ({ error }) => error instanceof NoReplyError && error.undelivered,
    () => bus.connected && isAlive(),
  );
  if (!result.error) return result.reply;
  const how = result.error instanceof NoReplyError ? 'does not answer' : 'could not answer';
  throw new ApiError('UNAVAILABLE', `${service} ${how}.`, { cause: result.error });
}

function settled<A>(sent: Promise<A>): Promise<{ reply: A; error?: undefined } | { error: Error }> {
  return sent.then(
    (reply) => ({ reply }),
    (error: Error) => ({ error }),
  );
}
