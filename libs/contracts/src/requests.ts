import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { AdmitRequest, AdmitVerdict, ALL_FINE, EnqueueVerdict, TrialGrant, TrialRequest } from './admission';
import {
  AcknowledgeRequest,
  CallReply,
  HistoryReply,
  HistoryRequest,
  PullRequest,
  ResumeCircuitReply,
  ResumeCircuitRequest,
  ResumeRequest,
} from './andon';
import { type BoardOf, boardSchema, SuggestionsReply } from './boards/index';
import {
  GetDeadLetterReply,
  GetDeadLetterRequest,
  ListDeadLettersReply,
  ListDeadLettersRequest,
  PurgeDeadLettersReply,
  PurgeDeadLettersRequest,
  RequeueReply,
  RequeueRequest,
} from './dead-letters';
import { ChartsReply, ChartsRequest } from './line-charts';
import { CardsReply, CardsRequest, RateRequest } from './limits';
import type { BoardService, ServiceName } from './fleet';
import type { Names } from './names';
import { check, jsonOf, type Message, readableItems } from './parse';
import {
  CancelReply,
  CancelRequest,
  InFlightReply,
  InFlightRequest,
  LanesReply,
  LanesRequest,
} from './queue';
import {
  FindReply,
  FindRequest,
  FinishedReply,
  FinishedRequest,
  LookupReply,
  LookupRequest,
  OpenReply,
  OpenRequest,
  OpenRunsReply,
  OpenRunsRequest,
} from './records';
import {
  GetRedriveReply,
  GetRedriveRequest,
  ListRedrivesReply,
  StartRedriveRequest,
  StartRedriveReply,
} from './redrive-jobs';
import { ReportReply, ReportRequest } from './report';
import {
  RetireLineReply,
  RetireLineRequest,
  RetireReply,
  RetireRequest,
  SealReply,
  SealRequest,
} from './retirement';
import { Signal } from './signal';

interface RequestShape {
  /** The service that answers it. */
  service: ServiceName;
  /** Name of the endpoint in the NATS services framework, as `nats micro info` shows it. */
  endpoint: string;
  request: TSchema;
  reply: TSchema;
  /** On the path of every signal: only the version is checked, see the README of this package. */
  hot?: true;
}

const nothing = Type.Object({}, { description: 'Nothing is asked beside the question itself' });
/** One verdict per item, in order, or `ALL_FINE`. */
const batch = <S extends TSchema>(verdict: S) => Type.Union([Type.Literal(ALL_FINE), Type.Array(verdict)]);

/**
 * Every request that one service sends another: the key is that of its subject in `Names`. Both sides parse the
 * messages they get with these shapes. A service that cannot answer replies an `ErrorReply`.
 */
export const REQUESTS = {
  admit: {
    service: 'jidoka',
    endpoint: 'admit',
    request: Type.Array(AdmitRequest),
    reply: batch(AdmitVerdict),
    hot: true,
  },
  enqueue: {
    service: 'kanban',
    endpoint: 'enqueue',
    request: Type.Array(Signal),
    reply: batch(EnqueueVerdict),
    hot: true,
  },
  trial: { service: 'jidoka', endpoint: 'trial', request: TrialRequest, reply: TrialGrant },
  resumeCircuit: {
    service: 'jidoka',
    endpoint: 'resume',
    request: ResumeCircuitRequest,
    reply: ResumeCircuitReply,
  },
  lanes: { service: 'kanban', endpoint: 'lanes', request: LanesRequest, reply: LanesReply },
  find: { service: 'kanban', endpoint: 'find', request: FindRequest, reply: FindReply },
  cancel: { service: 'kanban', endpoint: 'cancel', request: CancelRequest, reply: CancelReply },
  openSignals: { service: 'kanban', endpoint: 'open', request: OpenRequest, reply: OpenReply },
  openRuns: { service: 'kanban', endpoint: 'runs', request: OpenRunsRequest, reply: OpenRunsReply },
  retire: { service: 'kanban', endpoint: 'retire', request: RetireRequest, reply: RetireReply },
  seal: { service: 'kanban', endpoint: 'seal', request: SealRequest, reply: SealReply },
  retireCircuit: {
    service: 'jidoka',
    endpoint: 'retire',
    request: RetireLineRequest,
    reply: RetireLineReply,
  },
  retireLine: { service: 'andon', endpoint: 'retire', request: RetireLineRequest, reply: RetireLineReply },
  retireLevels: {
    service: 'heijunka',
    endpoint: 'retire',
    request: RetireLineRequest,
    reply: RetireLineReply,
  },
  cards: { service: 'kanban', endpoint: 'cards', request: CardsRequest, reply: CardsReply },
  deadLetters: {
    service: 'kanban',
    endpoint: 'letters',
    request: ListDeadLettersRequest,
    reply: ListDeadLettersReply,
  },
  deadLetter: {
    service: 'kanban',
    endpoint: 'letter',
    request: GetDeadLetterRequest,
    reply: GetDeadLetterReply,
  },
  purge: {
    service: 'kanban',
    endpoint: 'purge',
    request: PurgeDeadLettersRequest,
    reply: PurgeDeadLettersReply,
  },
  requeue: { service: 'kanban', endpoint: 'retry', request: RequeueRequest, reply: RequeueReply },
  redriveStart: {
    service: 'kanban',
    endpoint: 'redrive-start',
    request: StartRedriveRequest,
    reply: StartRedriveReply,
  },
  redrive: { service: 'kanban', endpoint: 'redrive', request: GetRedriveRequest, reply: GetRedriveReply },
  redrives: { service: 'kanban', endpoint: 'redrives', request: nothing, reply: ListRedrivesReply },
  workerInFlight: { service: 'worker', endpoint: 'holds', request: InFlightRequest, reply: InFlightReply },
  workerBlock: { service: 'worker', endpoint: 'refuse', request: InFlightRequest, reply: InFlightReply },
  pull: { service: 'andon', endpoint: 'pull', request: PullRequest, reply: CallReply },
  acknowledge: { service: 'andon', endpoint: 'acknowledge', request: AcknowledgeRequest, reply: CallReply },
  resume: { service: 'andon', endpoint: 'resume', request: ResumeRequest, reply: CallReply },
  history: { service: 'andon', endpoint: 'history', request: HistoryRequest, reply: HistoryReply },
  charts: { service: 'andon', endpoint: 'charts', request: ChartsRequest, reply: ChartsReply },
  lookup: { service: 'andon', endpoint: 'lookup', request: LookupRequest, reply: LookupReply },
  finishedSignals: { service: 'andon', endpoint: 'finished', request: FinishedRequest, reply: FinishedReply },
  report: { service: 'kaizen', endpoint: 'report', request: ReportRequest, reply: ReportReply },
  suggestions: { service: 'kaizen', endpoint: 'suggestions', request: nothing, reply: SuggestionsReply },
  rate: { service: 'heijunka', endpoint: 'rate', request: RateRequest, reply: RateRequest },
} as const satisfies Partial<Record<keyof Names['subjects'], RequestShape>>;

/** A request that one service sends another. */
export type RequestName = keyof typeof REQUESTS;
/** A request on the path of every signal: a list of what has gathered, which the gateway's batched client sends. */
export type BatchName = 'admit' | 'enqueue';
/** A request that is one message of its own, as `ask` sends it. */
export type SingleName = Exclude<RequestName, BatchName>;
/** The body of a request. */
export type RequestOf<N extends RequestName> = Static<(typeof REQUESTS)[N]['request']>;
/** The reply to a request. */
export type ReplyOf<N extends RequestName> = Static<(typeof REQUESTS)[N]['reply']>;

/**
 * Reads a request. Without data it is an empty one, as `nats request` sends it.
 *
 * @throws MessageError
 */
export function parseRequest<N extends RequestName>(
  name: N,
  message: Message & { data: Uint8Array },
): RequestOf<N> {
  const { request, ...rest } = REQUESTS[name];
  const what = `request ${name}`;
  const value = message.data.length > 0 ? jsonOf(message, what) : {};
  if ('hot' in rest) return readableItems(value, what);
  return check(request as TSchema, value, what) as RequestOf<N>;
}

/** The service got the request and could not answer it; the text is its own. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
}

/**
 * Reads the reply to a request.
 *
 * @throws ServiceError when the service says that it could not answer
 * @throws MessageError
 */
export function parseReply<N extends RequestName>(name: N, message: Message): ReplyOf<N> {
  return replyIn(REQUESTS[name].reply, message, `reply to ${name}`) as ReplyOf<N>;
}

/** Reads the board of a service. Throws as `parseReply` does. */
export function parseBoard<S extends BoardService>(service: S, message: Message): BoardOf<S> {
  return replyIn(boardSchema(service), message, `board of ${service}`) as BoardOf<S>;
}

/** The reply of a service whose handler failed, or that could not read the request. */
export interface ErrorReply {
  error: string;
}

function replyIn(schema: TSchema, message: Message, what: string): unknown {
  const value = jsonOf(message, what);
  const { error } = (value ?? {}) as Partial<ErrorReply>;
  if (typeof error === 'string') throw new ServiceError(error);
  return check(schema, value, what);
}
