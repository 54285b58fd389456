import { Type } from '@sinclair/typebox';
import {
  amended,
  DEFAULT_TIMEOUT_MS,
  FINAL_STATUSES,
  MAX_ASYNC_TIMEOUT_MS,
  MAX_SYNC_TIMEOUT_MS,
  ms,
  oneOf,
  OPEN_STATUSES,
  Outcome,
  Priority,
  SIGNAL_TYPE_PATTERN,
  time,
} from '@tps/contracts';

function signalRequest(timeout: { maximum: number; default?: number; description: string }) {
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
          description:
            'Input of the handler; at most 20 levels deep and 1000 keys. Whole numbers beyond 2^53 go as strings',
        },
      ),
      priority: Type.Optional(amended(Priority, { default: 3 })),
      timeout_ms: Type.Optional(Type.Integer({ minimum: 1, ...timeout })),
    },
    { additionalProperties: false, description: 'A unit of work' },
  );
}
/** For the document: a body alone does not tell whether its sender waits, so this takes what either of the two takes. */
export const SignalRequest = signalRequest({
  maximum: MAX_ASYNC_TIMEOUT_MS,
  description:
    `Bounds waiting and work together, in milliseconds. At most ${MAX_SYNC_TIMEOUT_MS}, and ${DEFAULT_TIMEOUT_MS} by default; ` +
    `with \`Prefer: respond-async\` at most ${MAX_ASYNC_TIMEOUT_MS}, which is the default there`,
});
export const SyncSignalRequest = signalRequest({
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
const ID = Type.String({ format: 'uuid' });
const { message, error_class, result, run, attempt, ...outcome } = Outcome.properties;

/** The members of a signal once an attempt of it has ended. */
const ENDED = {
  enqueued_at: outcome.enqueued_at,
  started_at: outcome.started_at,
  finished_at: outcome.finished_at,
  wait_ms: outcome.wait_ms,
  process_ms: outcome.process_ms,
  worker_id: outcome.worker_id,
  trace_id: outcome.trace_id,
};
const FAILURE = { error_class, fingerprint: outcome.fingerprint, dependency: outcome.dependency };

export const SignalAnswer = Type.Object({
  success: SUCCESS,
  status: oneOf([...FINAL_STATUSES, 'queued', 'processing', 'held']),
  signal_id: ID,
  message,
  trace_id: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'As in Jaeger' }),
  duration_ms: ms('The work itself, without waiting'),
  error_class,
  result,
});

export const SignalView = Type.Object(
  {
    signal_id: ID,
    signal_type: Type.String(),
    priority: Priority,
    run,
    status: oneOf([...OPEN_STATUSES, ...FINAL_STATUSES]),
    final: Type.Boolean(),
    success: SUCCESS,
    message,
    attempt,
    timeout_ms: Type.Optional(ms('As the sender asked, while it is not finished')),
    ...Type.Partial(Type.Object(ENDED)).properties,
    ...FAILURE,
    result,
    runs: Type.Array(
      Type.Object(
        {
          run,
          status: oneOf([...OPEN_STATUSES, ...FINAL_STATUSES, 'returned']),
          attempt,
          trace_id: Type.Optional(outcome.trace_id),
          finished_at: Type.Optional(outcome.finished_at),
        },
        { additionalProperties: true },
      ),
      { description: 'Every run, with its trace' },
    ),
    timeline: Type.Array(
      Type.Object(
        {
          at: time('When'),
          event: oneOf(['accepted', 'started', 'attempt_failed', 'returned', 'finished']),
          run,
          attempt: Type.Optional(attempt),
          worker_id: Type.Optional(outcome.worker_id),
          status: Type.Optional(outcome.status),
          message: Type.Optional(message),
          error_class,
        },
        { additionalProperties: true },
      ),
      { description: 'Events of the signal, oldest first' },
    ),
  },
  {
    additionalProperties: true,
    description: 'Where a signal is; once it is final, with every field of its outcome',
  },
);

export const CancelledSignal = Type.Object(
  {
    signal_id: ID,
    signal_type: Type.String(),
    priority: Priority,
    run,
    status: Type.Literal('cancelled'),
    final: Type.Literal(true),
    success: Type.Literal(false),
    attempt,
    message,
    ...ENDED,
    ...FAILURE,
  },
  { additionalProperties: true, description: 'The outcome of a signal that was taken back' },
);
