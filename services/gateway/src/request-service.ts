import type { MsgHdrs } from '@nats-io/transport-node';
import { ask, type Bus, UnansweredError } from '@tps/bus';
import { type ReplyOf, type RequestName, type RequestOf, REQUESTS, type ServiceName } from '@tps/contracts';
import { retryWhileRestarting } from './retry-while-restarting';
import { ApiError } from './problem';

export interface Patience {
  limitMs: number;
  headers?: MsgHdrs;
  /** Whether the service was heard lately: then it is asked again when nobody listens. */
  lives?: () => boolean;
}

/**
 * Asks the service that answers this request.
 *
 * @throws ApiError UNAVAILABLE when it is away, too slow or failed
 */
export function requestService<N extends RequestName>(
  bus: Bus,
  name: N,
  request: RequestOf<N>,
  { limitMs, headers, lives }: Patience,
): Promise<ReplyOf<N>> {
  const options = { timeoutMs: limitMs, ...(headers ? { headers } : {}) };
  return answered(bus, REQUESTS[name].service, () => ask(bus, name, request, options), lives);
}

/** Waits for the answer of a service. Throws as `requestService` does. */
export async function answered<A>(
  bus: Bus,
  who: ServiceName,
  question: () => Promise<A>,
  lives: () => boolean = () => false,
): Promise<A> {
  if (!bus.connected) throw new ApiError('UNAVAILABLE', 'Not connected to NATS.');
  const result = await retryWhileRestarting(
    () => settled(question()),
    ({ error }) => error instanceof UnansweredError && error.nobody,
    () => bus.connected && lives(),
  );
  if (!result.error) return result.answer;
  const how = result.error instanceof UnansweredError ? 'does not answer' : 'could not answer';
  throw new ApiError('UNAVAILABLE', `${who} ${how}.`, { cause: result.error });
}

function settled<A>(asked: Promise<A>): Promise<{ answer: A; error?: undefined } | { error: Error }> {
  return asked.then(
    (answer) => ({ answer }),
    (error: Error) => ({ error }),
  );
}
