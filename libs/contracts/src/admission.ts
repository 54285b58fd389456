import { type Static, Type } from '@sinclair/typebox';
import { count, ms, oneOf, text, time } from './fields';
import { signalType } from './signal';
import { version } from './version';

/** gateway -> jidoka, one item per signal: may it enter? */
export const AdmitRequest = Type.Object({
  v: Type.Optional(version()),
  id: Type.String(),
  signal_type: signalType(),
  async: Type.Optional(
    Type.Literal(true, {
      description: 'Nobody waits for the outcome: it may be kept while its line is stopped',
    }),
  ),
  failed_before: Type.Optional(Type.Literal(true, { description: 'An earlier run of the signal failed' })),
});
export type AdmitRequest = Static<typeof AdmitRequest>;

/** The members of every refusal. */
const refusal = {
  ok: Type.Literal(false),
  reason: text('Why, in words'),
  retry_after_ms: ms('When another try is worth while'),
};

/** jidoka's answer on one signal. `LINE_STOPPED`: only a person starts the line again. */
export const AdmitVerdict = Type.Union([
  Type.Object({ ok: Type.Literal(true) }),
  Type.Object({
    ...refusal,
    code: oneOf(['CIRCUIT_OPEN', 'LINE_STOPPED']),
    andon_id: Type.Optional(text('The call for a person to acknowledge or resume')),
  }),
]);
export type AdmitVerdict = Static<typeof AdmitVerdict>;
/** The negative answer of jidoka. */
export type AdmitRefusal = Extract<AdmitVerdict, { ok: false }>;

/** kanban's answer on one signal. `LINE_STOPPED`: the type is being retired; `UNKNOWN_SIGNAL_TYPE`: it was retired. */
export const EnqueueVerdict = Type.Union([
  Type.Object({
    ok: Type.Literal(true),
    duplicate: Type.Optional(Type.Literal(true, { description: 'The queue had this run already' })),
  }),
  Type.Object({
    ...refusal,
    code: oneOf(['KANBAN_FULL', 'NO_BROKER', 'LINE_STOPPED', 'UNKNOWN_SIGNAL_TYPE']),
    queue_depth: Type.Optional(count('KANBAN_FULL: accepted, unfinished signals')),
    finished_per_s: Type.Optional(
      Type.Number({ minimum: 0, description: 'KANBAN_FULL: signals that leave the queue per second' }),
    ),
    accepted: Type.Unsafe<false | 'unknown'>(
      Type.Union([Type.Literal(false), Type.Literal('unknown')], {
        description: '`unknown`: the append may have arrived; send it again with the same id',
      }),
    ),
  }),
]);
export type EnqueueVerdict = Static<typeof EnqueueVerdict>;
/** The negative answer of kanban. */
export type EnqueueRefusal = Extract<EnqueueVerdict, { ok: false }>;

/** The answer to a batch in which every item is fine: saves the array on the ordinary path. */
export const ALL_FINE = 1;

/** worker -> jidoka: permission to run one signal of a stopped type. */
export const TrialRequest = Type.Object({
  signal_type: signalType(),
  worker_id: Type.String(),
  failed_before: Type.Optional(
    Type.Literal(true, {
      description: 'An earlier attempt or run of the signal failed; without it the signal never failed',
    }),
  ),
});
export const TrialGrant = Type.Union([
  Type.Object({
    granted: Type.Literal(true),
    epoch: Type.Integer({ description: "Goes into the trial's outcome" }),
    deadline: time('After this the trial counts as lost'),
  }),
  Type.Object({ granted: Type.Literal(false) }),
]);
