import { type Static, Type } from '@sinclair/typebox';
import {
  CircuitState,
  count,
  list,
  ms,
  nullable,
  REQUESTS,
  RetiredType as Retired,
  text,
  TypeRecord,
} from '@tps/contracts';

const { name, timeout_ms, retry, retry_async, registered_at, standard_ms } = TypeRecord.properties;
const TypeEntry = Type.Object(
  {
    name,
    timeout_ms,
    retry,
    retry_async,
    registered_at,
    standard_ms: nullable(standard_ms, 'Standard time of one signal; null when the type has none'),
    max_wait_ms: ms('How long a signal may wait before the line is YELLOW'),
    served: Type.Boolean({ description: 'A living worker serves it' }),
    workers: count('How many do'),
    slots: count('Slots that these workers have together, shared by all their types'),
    line: Type.Object(
      {
        state: CircuitState,
        reason: Type.Optional(text('Why it stands still, or what its circuit did last')),
        since: Type.Optional(text('Since when')),
        andon_id: Type.Optional(text('The call to acknowledge and resume')),
      },
      { description: 'Whether the line of the type runs' },
    ),
    queue: nullable(
      Type.Object({
        waiting: count('Accepted, and not taken by a worker'),
        in_progress: count('Taken by a worker, or to be tried again'),
        held: count('Of these: they wait for the line to run again'),
      }),
      'Null while kanban does not answer',
    ),
  },
  { additionalProperties: true },
);
export const Types = Type.Object({ items: list(TypeEntry, 'By name') });
export type TypeList = Static<typeof Types>;

export const RetireRequest = Type.Object(
  {
    reason: REQUESTS.retire.request.properties.reason,
    by: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        pattern: '\\S',
        description: 'The person who retires it; stands beside the name of the token, if that has one',
      }),
    ),
  },
  { additionalProperties: false, description: 'Retiring a type' },
);
export const RetiredType = Retired;
