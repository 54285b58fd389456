import type { MsgHdrs } from '@nats-io/transport-node';
import {
  type BoardOf,
  type BoardService,
  encodeMessage,
  MessageError,
  parseBoard,
  parseReply,
  type ReplyOf,
  type RequestOf,
  type SingleName,
} from '@tps/contracts';
import type { Bus } from './connect';

/** How long to wait for the reply, in milliseconds, and the headers of the request. */
export interface AskOptions {
  timeoutMs: number;
  headers?: MsgHdrs;
}

/**
 * Sends a request to a service and parses its reply.
 *
 * @throws NoReplyError if no reply came in time
 * @throws ServiceError if the service could not answer
 * @throws MessageError if the reply does not have its shape
 */
export async function ask<N extends SingleName>(
  bus: Bus,
  name: N,
  request: RequestOf<N>,
  options: AskOptions,
): Promise<ReplyOf<N>> {
  const msg = await bus.request(bus.names.subjects[name], encodeMessage(request), options);
  return reported(bus, () => parseReply(name, msg));
}

/** Requests the board of a service. Throws as `ask` does. */
export async function askBoard<S extends BoardService>(
  bus: Bus,
  service: S,
  options: AskOptions,
): Promise<BoardOf<S>> {
  const msg = await bus.request(bus.names.subjects.board(service), encodeMessage({}), options);
  return reported(bus, () => parseBoard(service, msg));
}

function reported<T>(bus: Bus, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MessageError) bus.unreadable(error);
    throw error;
  }
}
