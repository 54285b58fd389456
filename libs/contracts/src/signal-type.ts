import { type Static, Type } from '@sinclair/typebox';
import { anyObject, oneOf, text, time } from './fields';
import { signalType } from './signal';
import { version } from './version';

/** A timer that is set for longer than 2^31 - 1 milliseconds fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * How a failed attempt is tried again: the backoff doubles from `base_ms` up to `cap_ms`, with full jitter.
 * Defaults: TPS_MAX_ATTEMPTS attempts (3), 200 ms, 30,000 ms.
 */
export const RetryPolicy = Type.Object({
  max_attempts: Type.Integer({ minimum: 1, maximum: 1_000, description: 'Attempts of one run' }),
  base_ms: Type.Number({ minimum: 0, maximum: MAX_TIMER_MS, description: 'Backoff after the first attempt' }),
  cap_ms: Type.Number({ minimum: 0, maximum: MAX_TIMER_MS, description: 'The longest backoff' }),
});
export type RetryPolicy = Static<typeof RetryPolicy>;

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
 * What `tps_types` holds of a signal type, under its name. The workers that serve it write it when they start; it stays
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
      description: "What one signal should take, in milliseconds: andon's yardstick",
    }),
  ),
  retry: RetryPolicy,
  registered_at: text('When the type was registered first, ISO 8601'),
  retired: Type.Optional(Retirement),
});
export type TypeRecord = Static<typeof TypeRecord>;
