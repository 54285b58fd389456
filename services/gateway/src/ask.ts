import { errors, type Msg, type MsgHdrs } from '@nats-io/transport-node';
import type { Bus } from '@tps/bus';
import { encode } from '@tps/contracts';
import { askPatiently } from './patience';
import { ApiError } from './problem';

export interface Question {
  subject: string;
  request?: object;
  headers?: MsgHdrs;
  limitMs: number;
  /** Whether the service was heard lately: then it is asked again when nobody listens. */
  lives?: () => boolean;
}

/** @throws ApiError UNAVAILABLE when the service is away, too slow or failed */
export async function askService<R>(bus: Bus, who: string, question: Question): Promise<R> {
  const { lives = () => false } = question;
  if (!bus.connected) throw new ApiError('UNAVAILABLE', 'Not connected to NATS.');
  const msg = await askPatiently(
    () => send(bus, question),
    (answer) => answer === 'nobody',
    () => bus.connected && lives(),
  );
  if (typeof msg === 'string') throw new ApiError('UNAVAILABLE', `${who} does not answer.`);
  const reply = readReply<R>(msg);
  if (reply === undefined) throw new ApiError('UNAVAILABLE', `${who} could not answer.`);
  return reply;
}

async function send(
  bus: Bus,
  { subject, request, headers, limitMs }: Question,
): Promise<Msg | 'nobody' | 'silence'> {
  try {
    const options = headers ? { timeout: limitMs, headers } : { timeout: limitMs };
    return await bus.nc.request(subject, request && encode(request), options);
  } catch (error) {
    return error instanceof errors.RequestError && error.isNoResponders() ? 'nobody' : 'silence';
  }
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
