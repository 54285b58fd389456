import type { MsgHdrs } from '@nats-io/transport-node';
import {
  type BoardOf,
  type BoardService,
  encode,
  parseBoard,
  parseReply,
  type ReplyOf,
  type RequestName,
  type RequestOf,
} from '@tps/contracts';
import type { Bus } from './connect';

/** How long to wait for the reply, in milliseconds, and the headers of the request. */
export interface AskOptions {
  timeoutMs: number;
  headers?: MsgHdrs;
}

/**
 * Asks a service, and parses its reply.
 *
 * @throws UnansweredError when no reply came in time
 * @throws ServiceError when the service could not answer
 * @throws MessageError when the reply does not have its shape
 */
export async function ask<N extends RequestName>(
  bus: Bus,
  name: N,
  request: RequestOf<N>,
  options: AskOptions,
): Promise<ReplyOf<N>> {
  return parseReply(name, await bus.request(bus.names.subjects[name], encode(request), options));
}

/** Asks a service for its board. Throws as `ask` does. */
export async function askBoard<S extends BoardService>(
  bus: Bus,
  service: S,
  options: AskOptions,
): Promise<BoardOf<S>> {
  return parseBoard(service, await bus.request(bus.names.subjects.board(service), encode({}), options));
}
