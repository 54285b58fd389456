import { type Static, type TUnsafe, Type } from '@sinclair/typebox';
import {
  API_ERRORS,
  DEFAULT_TIMEOUT_MS,
  ERROR_CLASSES,
  MAX_ASYNC_TIMEOUT_MS,
  MAX_SYNC_TIMEOUT_MS,
  type Priority,
  PrioritySchema,
  SIGNAL_TYPE_PATTERN,
} from '@tps/contracts';

/** The bodies of the API. The same schemas validate what comes in and make up the OpenAPI document. */

function oneOf<T extends string>(values: readonly T[], options: object = {}): TUnsafe<T> {
  return Type.Unsafe<T>({ type: 'string', enum: values, ...options });
}
const text = (description: string): ReturnType<typeof Type.String> => Type.String({ description });
const time = (description: string): ReturnType<typeof Type.String> =>
  Type.String({ format: 'date-time', description });
const ms = (description: string): ReturnType<typeof Type.Number> => Type.Number({ minimum: 0, description });
const count = (description: string): ReturnType<typeof Type.Integer> =>
  Type.Integer({ minimum: 0, description });
const percent = (description: string): ReturnType<typeof Type.Number> =>
  Type.Number({ minimum: 0, maximum: 100, description });

function signalRequest(timeout: { maximum: number; default: number; description: string }) {
  return Type.Object(
    {
      signal_type: Type.String({
        pattern: SIGNAL_TYPE_PATTERN,
        description: 'Which handler works on it',
        examples: ['validate', 'execute', 'report'],
      }),
      payload: Type.Object(
        {},
        {
          additionalProperties: true,
          description: 'Input of the handler; at most 20 levels deep and 1000 keys',
        },
      ),
      priority: Type.Optional(Type.Unsafe<Priority>({ ...PrioritySchema, default: 3 })),
      timeout_ms: Type.Optional(Type.Integer({ minimum: 1, ...timeout })),
    },
    { additionalProperties: false, description: 'A unit of work' },
  );
}
export const SignalRequest = signalRequest({
  maximum: MAX_SYNC_TIMEOUT_MS,
  default: DEFAULT_TIMEOUT_MS,
  description: 'Bounds waiting and work together',
});
export const AsyncSignalRequest = signalRequest({
  maximum: MAX_ASYNC_TIMEOUT_MS,
  default: MAX_ASYNC_TIMEOUT_MS,
  description: 'Bounds waiting and work together, with `Prefer: respond-async`',
});

const SUCCESS = Type.Union([Type.Boolean(), Type.Null()], { description: 'null: not known yet' });
const ERROR_CLASS = oneOf(ERROR_CLASSES, { description: 'Why it did not succeed' });

export const SignalAnswer = Type.Object({
  success: SUCCESS,
  status: oneOf(['succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'queued', 'processing', 'held']),
  signal_id: Type.String({ format: 'uuid' }),
  message: text('In words'),
  trace_id: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'As in Jaeger' }),
  duration_ms: ms('The work itself, without waiting'),
  error_class: Type.Optional(ERROR_CLASS),
  result: Type.Optional(Type.Unknown({ description: 'What the handler returned' })),
});

const TimelineEntry = Type.Object(
  {
    at: time('When'),
    event: oneOf(['accepted', 'started', 'attempt_failed', 'returned', 'finished']),
    run: count('0, and one more for every redrive'),
  },
  { additionalProperties: true },
);
export const SignalView = Type.Object(
  {
    signal_id: Type.String({ format: 'uuid' }),
    signal_type: Type.String(),
    priority: PrioritySchema,
    run: count('0, and one more for every redrive'),
    status: oneOf([
      'queued',
      'held',
      'running',
      'retrying',
      'succeeded',
      'failed',
      'rejected',
      'expired',
      'cancelled',
    ]),
    final: Type.Boolean(),
    success: SUCCESS,
    message: text('In words'),
    attempt: count('Attempts used up by this run'),
    timeline: Type.Array(TimelineEntry),
  },
  {
    additionalProperties: true,
    description: 'Where a signal is; once it is final, with every field of its outcome',
  },
);

export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'Where the code is explained: `/#CODE`' }),
    title: Type.String(),
    status: Type.Integer(),
    success: Type.Literal(false),
    code: oneOf(Object.keys(API_ERRORS)),
    message: text('What is wrong with this request'),
    trace_id: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), message: Type.String(), rule: Type.String() }), {
        description: 'INVALID_SIGNAL: every fault',
      }),
    ),
    known_types: Type.Optional(Type.Array(Type.String(), { description: 'UNKNOWN_SIGNAL_TYPE' })),
    accepted: Type.Optional(
      Type.Union([Type.Literal(false), Type.Literal('unknown')], {
        description: 'NO_BROKER, and UNAVAILABLE with a key',
      }),
    ),
  },
  { additionalProperties: true, description: 'RFC 9457' },
);

const CIRCUIT_STATE = oneOf(['Closed', 'HalfOpen', 'Open']);
export const Health = Type.Object({
  healthy: Type.Boolean(),
  circuit_state: CIRCUIT_STATE,
  queue_depth: count('Accepted and unfinished'),
  active_workers: count('Slots of living workers'),
  error_rate: percent('Percent over 5 minutes'),
  timestamp: time('Of this answer'),
  reasons: Type.Array(Type.String(), { description: 'Why it is not healthy' }),
  circuits: Type.Record(
    Type.String(),
    Type.Object({
      state: CIRCUIT_STATE,
      reason: Type.Optional(Type.String()),
      since: Type.Optional(Type.String()),
      andon_id: Type.Optional(Type.String()),
    }),
  ),
  stations: Type.Record(Type.String(), Type.Object({ up: Type.Boolean(), replicas: count('Ready ones') })),
});
export type HealthReport = Static<typeof Health>;

const counts = {
  total_processed: count('success_count + error_count'),
  success_count: count('Succeeded'),
  error_count: count('Failed'),
  error_rate: percent('error_count in percent of total_processed'),
};
const asides = {
  rejected: Type.Optional(count("The sender's fault")),
  expired: Type.Optional(count('Not started in time')),
  cancelled: Type.Optional(count('Taken back before the start')),
};
const Figures = Type.Object({ avg_ms: ms(''), p50_ms: ms(''), p95_ms: ms(''), p99_ms: ms('') });
export const Metrics = Type.Object(
  {
    ...counts,
    avg_duration_ms: ms('The work itself'),
    p95_duration_ms: ms('The work itself'),
    p99_duration_ms: ms('The work itself'),
    error_rate_5m: Type.Optional(percent('Over 5 minutes')),
    ...asides,
    superseded: Type.Optional(count('Second outcomes of a run, never in totals')),
    types: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object({ ...counts, ...asides, work: Figures, wait: Figures }, { additionalProperties: true }),
      ),
    ),
  },
  { additionalProperties: true },
);

export const Info = Type.Object({
  name: Type.String(),
  version: Type.String(),
  uptime_secs: count('Of this gateway'),
  instance: Type.String(),
  environment: Type.String(),
  signal_types: Type.Array(Type.String()),
  config: Type.Object({
    num_workers: count('Slots of one worker process'),
    worker_processes: count('Worker processes that are started'),
    http_port: count(''),
    metrics_port: Type.Union([Type.Integer(), Type.Literal('disabled')]),
    kanban_buffer: count('Most that is accepted and unfinished'),
    cb_threshold: count('Failures that open a circuit'),
    cb_timeout_secs: count('Pause before the first trial'),
    rate_limit: count('Per minute and client; 0: none'),
    auth_enabled: Type.Boolean(),
  }),
});
export type InfoReport = Static<typeof Info>;

export const Status = Type.Object({
  status: Type.Literal('running'),
  health: Health,
  metrics: Type.Union([Metrics, Type.Null()]),
});

export const Board = Type.Object({}, { additionalProperties: true, description: "The service's own view" });
