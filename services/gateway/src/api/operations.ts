import type { TSchema } from '@sinclair/typebox';
import type { ApiErrorCode } from '@tps/contracts';
import type * as schemas from './schemas';

/** Everything the API offers, once: routes, the OpenAPI document and the page are made from this table. */
export interface Operation {
  method: 'get' | 'post' | 'put' | 'delete';
  /** As OpenAPI writes it: `/signal/{id}`. */
  path: string;
  tag: 'Signals' | 'Fleet' | 'Stations' | 'Documentation';
  summary: string;
  description?: string;
  parameters?: Parameter[];
  body?: SchemaName;
  answers: Record<number, Content>;
  errors: ApiErrorCode[];
  /** What follows `curl` and stands before the URL; one line each. */
  examples: string[];
}

export interface Parameter {
  name: string;
  in: 'path' | 'header';
  required: boolean;
  description: string;
  schema: TSchema | object;
}

interface Content {
  description: string;
  schema?: SchemaName;
  /** Content types that carry no JSON. */
  text?: string[];
}

type Schemas = typeof schemas;
export type SchemaName = keyof Schemas;

const ID: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The `signal_id` of the answer to `POST /signal`',
  schema: { type: 'string', format: 'uuid' },
};
const PREFER = (description: string): Parameter => ({
  name: 'Prefer',
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});

function board(service: string, summary: string): Operation {
  return {
    method: 'get',
    path: `/${service}`,
    tag: 'Stations',
    summary,
    answers: { 200: { description: 'The board', schema: 'Board' } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  };
}

export const OPERATIONS = {
  postSignal: {
    method: 'post',
    path: '/signal',
    tag: 'Signals',
    summary: 'Hand in a signal',
    description:
      'Answers when the signal is finished, or after `timeout_ms` with what is known by then. What was accepted is ' +
      'on disk and ends in exactly one recorded outcome, whether the caller waits or not.',
    parameters: [
      PREFER(
        '`respond-async`: answer as soon as the signal is accepted; `timeout_ms` may then be up to 24 h',
      ),
      {
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description: 'The same key means the same signal: a repeat gets its outcome and starts nothing',
        schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' },
      },
      {
        name: 'traceparent',
        in: 'header',
        required: false,
        description: 'W3C trace context to continue',
        schema: { type: 'string' },
      },
    ],
    body: 'SignalRequest',
    answers: { 202: { description: 'Accepted; `status` says how far it got', schema: 'SignalAnswer' } },
    errors: [
      'INVALID_JSON',
      'INVALID_SIGNAL',
      'UNKNOWN_SIGNAL_TYPE',
      'INVALID_REQUEST',
      'IDEMPOTENCY_CONFLICT',
      'PAYLOAD_TOO_LARGE',
      'UNSUPPORTED_MEDIA_TYPE',
      'KANBAN_FULL',
      'CIRCUIT_OPEN',
      'LINE_STOPPED',
      'NO_BROKER',
      'UNAVAILABLE',
    ],
    examples: [
      `-d '{"signal_type":"execute","payload":{"task":"demo"}}'`,
      `-d '{"signal_type":"validate","priority":2,"payload":{"data":[1,2,3]},"timeout_ms":30000}'`,
      `-H 'Prefer: respond-async' -H 'Idempotency-Key: order-42' -d '{"signal_type":"execute","payload":{"task":"demo"}}'`,
    ],
  },
  getSignal: {
    method: 'get',
    path: '/signal/{id}',
    tag: 'Signals',
    summary: 'Where a signal is, and what became of it',
    parameters: [ID, PREFER('`wait=n`: wait up to n seconds (at most 60) for the final outcome')],
    answers: { 200: { description: 'The signal', schema: 'SignalView' } },
    errors: ['INVALID_REQUEST', 'NOT_FOUND', 'UNAVAILABLE'],
    examples: ['', `-H 'Prefer: wait=10'`],
  },
  cancelSignal: {
    method: 'delete',
    path: '/signal/{id}',
    tag: 'Signals',
    summary: 'Take back a signal that has not started',
    parameters: [ID],
    answers: { 200: { description: 'Its outcome, `cancelled`', schema: 'Board' } },
    errors: ['INVALID_REQUEST', 'NOT_FOUND', 'ALREADY_STARTED', 'ALREADY_FINISHED', 'UNAVAILABLE'],
    examples: ['-X DELETE'],
  },
  health: {
    method: 'get',
    path: '/health',
    tag: 'Fleet',
    summary: 'The health of the fleet',
    description: '503 only when no work of any type can be accepted; `reasons` says why it is not healthy.',
    answers: {
      200: { description: 'Work can be accepted', schema: 'Health' },
      503: { description: 'No work can be accepted', schema: 'Health' },
    },
    errors: [],
    examples: [''],
  },
  live: {
    method: 'get',
    path: '/health/live',
    tag: 'Fleet',
    summary: 'Whether this process runs; restart it when it does not answer',
    answers: { 200: { description: 'It does', schema: 'Board' } },
    errors: [],
    examples: [''],
  },
  ready: {
    method: 'get',
    path: '/health/ready',
    tag: 'Fleet',
    summary: 'Whether this gateway should get requests',
    answers: {
      200: { description: 'It should', schema: 'Board' },
      503: { description: 'It should not; `reasons` says why', schema: 'Board' },
    },
    errors: [],
    examples: [''],
  },
  metrics: {
    method: 'get',
    path: '/metrics',
    tag: 'Fleet',
    summary: 'Counts, rates and durations, per type as well',
    answers: {
      200: { description: 'The figures', schema: 'Metrics', text: ['text/plain'] },
    },
    errors: ['UNAVAILABLE'],
    examples: ['', `-H 'Accept: text/plain'`],
  },
  info: {
    method: 'get',
    path: '/info',
    tag: 'Fleet',
    summary: 'Version and configuration',
    answers: { 200: { description: 'What this system is', schema: 'Info' } },
    errors: [],
    examples: [''],
  },
  status: {
    method: 'get',
    path: '/status',
    tag: 'Fleet',
    summary: 'Health and metrics together',
    answers: { 200: { description: 'Both', schema: 'Status' } },
    errors: [],
    examples: [''],
  },
  jidoka: board('jidoka', 'Circuits: which lines run, which are stopped'),
  kanban: board('kanban', 'The queue: lanes, cards, buffer'),
  andon: board('andon', 'Colours of lines and stations'),
  kaizen: board('kaizen', 'Counts and true percentiles'),
  heijunka: board('heijunka', 'The level schedule, takt and distribution'),
  openapi: {
    method: 'get',
    path: '/openapi.json',
    tag: 'Documentation',
    summary: 'This API as OpenAPI 3.1',
    answers: { 200: { description: 'The document', schema: 'Board' } },
    errors: [],
    examples: [''],
  },
  page: {
    method: 'get',
    path: '/',
    tag: 'Documentation',
    summary: 'This API as a page',
    answers: { 200: { description: 'HTML', text: ['text/html'] } },
    errors: [],
    examples: [''],
  },
} satisfies Record<string, Operation>;

export type OperationId = keyof typeof OPERATIONS;
export const operations = Object.entries(OPERATIONS) as [OperationId, Operation][];
