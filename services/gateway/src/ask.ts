import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import type { Bus } from '@tps/bus';
import { ApiError } from './problem';

export interface Question {
  subject: string;
  request?: object;
  headers?: MsgHdrs;
  limitMs: number;
}

/** @throws ApiError UNAVAILABLE when the service is away, too slow or failed */
export async function askService<R>(bus: Bus, who: string, question: Question): Promise<R> {
  const { subject, request, headers, limitMs } = question;
  if (!bus.connected) throw new ApiError('UNAVAILABLE', 'Not connected to NATS.');
  let msg: Msg;
  try {
    const options = headers ? { timeout: limitMs, headers } : { timeout: limitMs };
    msg = await bus.nc.request(subject, request && JSON.stringify(request), options);
  } catch {
    throw new ApiError('UNAVAILABLE', `${who} does not answer.`);
  }
  const reply = readReply<R>(msg);
  if (reply === undefined) throw new ApiError('UNAVAILABLE', `${who} could not answer.`);
  return reply;
}

/** Services answer `{error}` when a handler threw. */
function readReply<R>(msg: Msg): R | undefined {
  try {
    const reply: unknown = msg.json();
    return typeof reply === 'object' && reply !== null && !('error' in reply) ? (reply as R) : undefined;
  } catch {
    return undefined;
  }
}
