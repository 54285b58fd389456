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
import { SuggestionsReply } from './boards/index';
import {
  LetterReply,
  LetterRequest,
  LettersReply,
  LettersRequest,
  PurgeReply,
  PurgeRequest,
  RetryReply,
  RetryRequest,
} from './dead-letters';
import { CardsReply, CardsRequest, RateRequest } from './limits';
import type { Names } from './names';
import { CancelReply, CancelRequest, HoldsReply, HoldsRequest, LanesReply, LanesRequest } from './queue';
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
import { RedriveReply, RedriveRequest, RedrivesReply, RedriveStart, RedriveStarted } from './redrives';
import { ReportReply, ReportRequest } from './report';
import { Signal } from './signal';

interface RequestShape {
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
 * Every request that one service sends another: the key is that of its subject in `Names`. Both sides parse what they
 * get with these shapes. A service that cannot answer replies `ErrorReply`.
 */
export const REQUESTS = {
  admit: {
    endpoint: 'admit',
    request: Type.Array(AdmitRequest),
    reply: batch(AdmitVerdict),
    hot: true,
  },
  enqueue: { endpoint: 'enqueue', request: Type.Array(Signal), reply: batch(EnqueueVerdict), hot: true },
  trial: { endpoint: 'trial', request: TrialRequest, reply: TrialGrant },
  resumeCircuit: { endpoint: 'resume', request: ResumeCircuitRequest, reply: ResumeCircuitReply },
  lanes: { endpoint: 'lanes', request: LanesRequest, reply: LanesReply },
  find: { endpoint: 'find', request: FindRequest, reply: FindReply },
  cancel: { endpoint: 'cancel', request: CancelRequest, reply: CancelReply },
  openSignals: { endpoint: 'open', request: OpenRequest, reply: OpenReply },
  openRuns: { endpoint: 'runs', request: OpenRunsRequest, reply: OpenRunsReply },
  cards: { endpoint: 'cards', request: CardsRequest, reply: CardsReply },
  letters: { endpoint: 'letters', request: LettersRequest, reply: LettersReply },
  letter: { endpoint: 'letter', request: LetterRequest, reply: LetterReply },
  purge: { endpoint: 'purge', request: PurgeRequest, reply: PurgeReply },
  retry: { endpoint: 'retry', request: RetryRequest, reply: RetryReply },
  redriveStart: { endpoint: 'redrive-start', request: RedriveStart, reply: RedriveStarted },
  redrive: { endpoint: 'redrive', request: RedriveRequest, reply: RedriveReply },
  redrives: { endpoint: 'redrives', request: nothing, reply: RedrivesReply },
  workerHolds: { endpoint: 'holds', request: HoldsRequest, reply: HoldsReply },
  workerRefuse: { endpoint: 'refuse', request: HoldsRequest, reply: HoldsReply },
  pull: { endpoint: 'pull', request: PullRequest, reply: CallReply },
  acknowledge: { endpoint: 'acknowledge', request: AcknowledgeRequest, reply: CallReply },
  resume: { endpoint: 'resume', request: ResumeRequest, reply: CallReply },
  history: { endpoint: 'history', request: HistoryRequest, reply: HistoryReply },
  lookup: { endpoint: 'lookup', request: LookupRequest, reply: LookupReply },
  finishedSignals: { endpoint: 'finished', request: FinishedRequest, reply: FinishedReply },
  report: { endpoint: 'report', request: ReportRequest, reply: ReportReply },
  suggestions: { endpoint: 'suggestions', request: nothing, reply: SuggestionsReply },
  rate: { endpoint: 'rate', request: RateRequest, reply: RateRequest },
} as const satisfies Partial<Record<keyof Names['subjects'], RequestShape>>;

/** A request that one service sends another. */
export type RequestName = keyof typeof REQUESTS;
/** What a request asks. */
export type RequestOf<N extends RequestName> = Static<(typeof REQUESTS)[N]['request']>;
/** What it is answered. */
export type ReplyOf<N extends RequestName> = Static<(typeof REQUESTS)[N]['reply']>;

/** The reply of a service whose handler failed, or that could not read the request. */
export const ErrorReply = Type.Object({ error: Type.String() });
