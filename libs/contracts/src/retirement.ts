import { type Static, Type } from '@sinclair/typebox';
import { count, list, nullable, oneOf, text, time } from './fields';
import { signalType } from './signal';
import { Retirement, type TypeRecord } from './signal-type';

/** Whether the fleet takes signals of the type: a retired one is unknown until a worker announces it again. */
export function isKnownType({ retired }: TypeRecord): boolean {
  return !retired || retired.phase === 'checking';
}

/** Says of a type that it is, or is being, retired, and by whom. */
export function retirementText(type: string, { phase, by, reason, at }: Retirement): string {
  const why = reason ? `: ${reason}` : '';
  if (phase === 'checking') return `the signal type "${type}" is being retired by ${by}${why}`;
  return `the signal type "${type}" was retired by ${by} at ${at}${why}`;
}

/** gateway -> kanban: retire a type that no worker serves and that has no work left. */
export const RetireRequest = Type.Object({
  signal_type: signalType(),
  by: Type.String({ minLength: 1, maxLength: 200, description: 'The person who retires it' }),
  reason: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 500,
      pattern: '\\S',
      description: 'Why nobody needs it any more',
    }),
  ),
});

/** The answer to a person who retired a type. */
export const RetiredType = Type.Object({
  signal_type: signalType(),
  by: text('The person who retired it'),
  reason: Type.Optional(text('Why')),
  at: time('When'),
  dead_letters: count('Dead letters of the type; they stay'),
});
export type RetiredType = Static<typeof RetiredType>;

/** Why a type was not retired. Nothing was changed, except where `reason` says that the rest follows. */
const RetireRefusal = Type.Object({
  refused: oneOf(['unknown', 'has_work', 'served', 'unavailable']),
  reason: text('Why, in words'),
  waiting: Type.Optional(count('`has_work`: signals that wait')),
  in_progress: Type.Optional(count('`has_work`: signals that a worker has taken')),
  on_backup: Type.Optional(count('`has_work`: signals on the backup that are, or may be, of the type')),
  redrives: Type.Optional(list(Type.String(), '`has_work`: redrive jobs with dead letters of the type left')),
  workers: Type.Optional(list(Type.String(), '`served`: the workers that serve the type')),
});
/** Why a type cannot be retired now. */
export type RetireRefusal = Static<typeof RetireRefusal>;
export const RetireReply = Type.Union([Type.Object({ retired: RetiredType }), RetireRefusal]);

/** kanban -> every kanban process: accept no more signals of the type whose retirement has this id. */
export const SealRequest = Type.Object({ signal_type: signalType(), id: Type.String() });

const BackupHoldings = Type.Object({
  of_type: count('Signals of the type that the process took from RabbitMQ and has not moved yet'),
  waiting: nullable(
    count('Messages of any type'),
    'Messages that wait at RabbitMQ; null when it does not answer',
  ),
});
/** The signals of a type on the backup, as far as one kanban process knows. */
export type BackupHoldings = Static<typeof BackupHoldings>;

export const SealReply = Type.Object({
  instance: text('The process'),
  sealed: Type.Boolean({
    description: 'It accepts none from now on, and none that it accepted is on its way into the stream',
  }),
  backup: Type.Optional(BackupHoldings),
});

/** kanban -> jidoka, andon, heijunka: remove what you keep of a retired type. Repeated until it is done. */
export const RetireLineRequest = Type.Object({ signal_type: signalType(), retirement: Retirement });
export const RetireLineReply = Type.Object({ done: Type.Literal(true) });
