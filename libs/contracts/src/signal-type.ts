import { type Static, Type } from '@sinclair/typebox';
import { amended, anyObject, oneOf, text, time } from './fields';
import { RetryPolicy } from './retry-policy';
import { signalType } from './signal';
import { version } from './version';

/**
 * A person retires a signal type. kanban keeps this in the type's record, so that any of its processes can finish or undo
 * what another one began.
 */
export const Retirement = Type.Object({
  id: text('Names this retirement'),
  phase: oneOf(['checking', 'removing', 'done'], {
    description:
      '`checking`: kanban refuses signals of the type until it knows that none is left, everybody else still knows the ' +
      'type. `removing`: the type is unknown, and what belongs to it is being removed. `done`: all is removed; the record ' +
      'stays as long as dead letters may, to say who retired the type and to bring it back',
  }),
  by: text('Who'),
  reason: Type.Optional(text('Why')),
  at: time('When'),
  owner: text('The kanban process that works on it'),
  lease_until: time('Until when others leave it to its owner'),
});
export type Retirement = Static<typeof Retirement>;

/**
 * A signal type: a value of `tps_types`, under the type's name. The workers that serve it write it when they start; it stays
 * when they are gone, until somebody retires the type.
 */
export const TypeRecord = Type.Object({
  v: version(),
  name: signalType(),
  input_schema: Type.Optional(
    anyObject('JSON Schema of the payload, which the gateway checks before anything is accepted'),
  ),
  output_schema: Type.Optional(anyObject('JSON Schema of the result; a result outside of it is a defect')),
  timeout_ms: Type.Number({ minimum: 0, description: 'Limit of one attempt, in milliseconds' }),
  standard_ms: Type.Optional(
    Type.Number({
      minimum: 0,
      description: 'Standard time of one signal in milliseconds, by which andon judges the line',
    }),
  ),
  max_wait_ms: Type.Optional(
    Type.Number({
      minimum: 1,
      description: 'How long a signal may wait before andon turns the line YELLOW; absent: the default',
    }),
  ),
  retry: RetryPolicy,
  retry_async: Type.Optional(
    amended(RetryPolicy, {
      description: 'For signals that nobody waits for; absent when `retry` holds for all of them',
    }),
  ),
  registered_at: text('When the type was registered first, ISO 8601'),
  retired: Type.Optional(Retirement),
});
export type TypeRecord = Static<typeof TypeRecord>;

const LEAST_MAX_WAIT_MS = 2_000;
const MAX_WAIT_STANDARDS = 10;

/** How long a signal of the type may wait. Default: ten times the standard time, and 2 s at least. */
export function maxWaitMs(type: Pick<TypeRecord, 'max_wait_ms' | 'standard_ms'> | undefined): number {
  return type?.max_wait_ms ?? Math.max(LEAST_MAX_WAIT_MS, MAX_WAIT_STANDARDS * (type?.standard_ms ?? 0));
}
