import { Type } from '@sinclair/typebox';
import { API_ERRORS, count, ms, oneOf, text } from '@tps/contracts';

export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'Where the code is explained: `/#CODE`' }),
    title: Type.String(),
    status: Type.Integer(),
    success: Type.Literal(false),
    code: oneOf(Object.keys(API_ERRORS)),
    message: text('Why this request was not done'),
    trace_id: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), message: Type.String(), rule: Type.String() }), {
        description: 'INVALID_SIGNAL and INVALID_REQUEST: every fault',
      }),
    ),
    known_types: Type.Optional(Type.Array(Type.String(), { description: 'UNKNOWN_SIGNAL_TYPE' })),
    accepted: Type.Optional(
      Type.Union([Type.Literal(false), Type.Literal('unknown')], {
        description: 'NO_BROKER',
      }),
    ),
    queue_depth: Type.Optional(count('KANBAN_FULL: accepted, unfinished signals')),
    finished_per_s: Type.Optional(
      Type.Number({ minimum: 0, description: 'KANBAN_FULL: signals that finish per second, as measured' }),
    ),
    retry_after_ms: Type.Optional(
      ms('KANBAN_FULL: when there should be room for this sender; `Retry-After` in milliseconds'),
    ),
    andon_id: Type.Optional(
      Type.String({ description: 'CIRCUIT_OPEN and LINE_STOPPED: what acknowledging and resuming take' }),
    ),
  },
  { additionalProperties: true, description: 'RFC 9457' },
);
