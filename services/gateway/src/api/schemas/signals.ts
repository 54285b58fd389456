import { Type } from '@sinclair/typebox';
import {
  DEFAULT_TIMEOUT_MS,
  ERROR_CLASSES,
  MAX_ASYNC_TIMEOUT_MS,
  MAX_SYNC_TIMEOUT_MS,
  type Priority,
  PrioritySchema,
  SIGNAL_TYPE_PATTERN,
} from '@tps/contracts';
import { count, ms, oneOf, text, time } from './fields';

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
    runs: Type.Array(
      Type.Object(
        { run: count('0 for the first'), status: Type.String(), attempt: count('Attempts it used up') },
        { additionalProperties: true },
      ),
      { description: 'Every run, with its trace' },
    ),
    timeline: Type.Array(TimelineEntry),
  },
  {
    additionalProperties: true,
    description: 'Where a signal is; once it is final, with every field of its outcome',
  },
);
