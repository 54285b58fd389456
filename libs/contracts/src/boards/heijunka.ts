import { type Static, Type } from '@sinclair/typebox';
import { count, mapOf, nullable, number } from '../fields';
import { ScheduleRecord } from '../schedule';
import { version } from '../version';

/** heijunka's view of the fleet: the level schedule, what demand asks of the workers, and how even their work is. */
export const HeijunkaBoard = Type.Object(
  {
    v: version(),
    schedule: nullable(ScheduleRecord, 'The schedule that the workers follow; null before there is one'),
    demand: mapOf(
      Type.Object({
        arrivals_per_s: number('Signals accepted per second, averaged over about 30 seconds'),
        backlog: count('Signals that wait'),
        weight: number('Share in the level sequence, relative to the other types of a class'),
      }),
      'By signal type',
    ),
    max_per_s: mapOf(Type.Number(), 'Signals that may start per second, of types that people levelled'),
    takt_ms: mapOf(
      Type.Union([Type.Number(), Type.Null()]),
      'Available time over demand: how often one must be finished, in milliseconds; null without demand',
    ),
    cycle_ms: mapOf(Type.Number(), 'Mean work of the last five minutes, in milliseconds'),
    utilisation: number('Busy slots over all slots, 0 to 1'),
    workers_needed: nullable(
      Type.Integer(),
      'Worker processes that the present demand needs; null while no worker is there',
    ),
    distribution: mapOf(
      Type.Object({
        slots: Type.Integer({ description: 'Signals it works on at once, at most' }),
        busy: Type.Integer({ description: 'Slots that work on a signal now' }),
        started: Type.Integer({ description: 'Signals started since the process began' }),
        share: number('Share of the signals finished in the last five minutes, 0 to 1'),
      }),
      'By worker',
    ),
    evenness: nullable(
      Type.Number(),
      '1 when each worker finished as much as its share of the slots; null while none finished anything',
    ),
  },
  { description: 'The level schedule, takt and distribution' },
);
export type HeijunkaBoard = Static<typeof HeijunkaBoard>;
