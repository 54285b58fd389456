import { type Static, Type } from '@sinclair/typebox';
import { count, list, mapOf, nullable, text } from './fields';
import { type Message, parse } from './parse';
import { version } from './version';

const Histogram = Type.Object({
  values: text('All values in microseconds: an HDR histogram, compressed, in base64'),
  sum_ms: Type.Number(),
  max_ms: Type.Number(),
});

/** The totals of one signal type, or of all together. */
export const TotalsRecord = Type.Object({
  succeeded: count('Succeeded signals'),
  failed: count('Failed signals'),
  first_pass: count('Succeeded at the first attempt'),
  rejected: count('Rejected signals'),
  expired: count('Expired signals'),
  cancelled: count('Cancelled signals'),
  retried: count('Attempts that were retried'),
  work: Histogram,
  wait: Histogram,
});
export type TotalsRecord = Static<typeof TotalsRecord>;

const Failures = mapOf(
  Type.Object({ count: count('Equal failures'), message: Type.String(), trace_id: Type.String() }),
);

/** The losses of one signal type in one bucket of the loss window. */
export const LossesRecord = Type.Object({
  processed: count('Succeeded and failed signals'),
  failed: count('Failed signals'),
  rejected: count('Rejected signals'),
  expired: count('Expired signals'),
  retried: count('Attempts that were retried'),
  work_ms: Type.Number(),
  wait_ms: Type.Number(),
  rework_ms: Type.Number(),
  longest_wait: Type.Optional(Type.Object({ ms: Type.Number(), trace_id: Type.String() })),
  groups: Type.Object({ failed: Failures, rejected: Failures }),
});
export type LossesRecord = Static<typeof LossesRecord>;

/** All figures of kaizen, and the place in the log of outcomes up to which they are counted. */
export const KaizenSnapshot = Type.Object({
  v: version(),
  log: Type.Object({
    created: text('When the broker created the log'),
    seq: count('Outcomes up to this sequence are counted'),
    at_ms: Type.Number({ description: 'When the newest counted outcome was stored' }),
    after_ms: Type.Number({
      description:
        'A later log only counts outcomes that were stored after this moment: the earlier log had the others',
    }),
    reread_from: count(
      'A start reads the log again from this sequence, because it has to know the latest final outcomes to find superseded ones',
    ),
  }),
  superseded: count('Superseded outcomes'),
  since_ms: nullable(Type.Number(), 'When the first counted outcome was stored'),
  total: TotalsRecord,
  types: mapOf(TotalsRecord),
  recent: list(
    Type.Object({
      slot: Type.Integer(),
      bucket: Type.Object({ processed: count('Processed'), failed: count('Failed') }),
    }),
    'The window of the recent error rate',
  ),
  losses: list(Type.Object({ slot: Type.Integer(), bucket: mapOf(LossesRecord) }), 'The window of losses'),
});
export type KaizenSnapshot = Static<typeof KaizenSnapshot>;

/**
 * Reads a snapshot of kaizen.
 *
 * @throws MessageError
 */
export const parseKaizenSnapshot = (message: Message): KaizenSnapshot =>
  parse(KaizenSnapshot, message, 'the snapshot of kaizen');
