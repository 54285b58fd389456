import { type Static, Type } from '@sinclair/typebox';
import { mapOf, text } from './fields';
import { type Message, parse } from './parse';
import type { Priority } from './signal';
import { version } from './version';

/** kanban publishes it every second while there is work: arrivals since the last one, and waiting signals, per lane. */
export const ArrivalsMessage = Type.Object({
  v: version(),
  instance: text('The kanban process'),
  interval_ms: Type.Number({
    exclusiveMinimum: 0,
    description: 'The time in which they arrived, in milliseconds',
  }),
  arrivals: mapOf(Type.Number({ minimum: 0 }), 'Signals accepted by this process, by lane'),
  waiting: mapOf(
    Type.Number({ minimum: 0 }),
    'Signals that wait in the queue, by lane; all processes say the same',
  ),
});
export type ArrivalsMessage = Static<typeof ArrivalsMessage>;

/**
 * Reads a message on `subjects.arrivals`.
 *
 * @throws MessageError
 */
export function parseArrivals(message: Message): ArrivalsMessage {
  return parse(ArrivalsMessage, message, 'arrivals');
}

/** The key of the level schedule in `tps_schedule`; the bucket's other keys are those of `rateKey`. */
export const SCHEDULE_KEY = 'schedule';

/**
 * Share of each priority class while it has work. None is zero, so none starves. heijunka writes it into the schedule, and
 * workers use it until they have one.
 */
export const CLASS_WEIGHTS: Readonly<Record<Priority, number>> = { 1: 8, 2: 4, 3: 2, 4: 1 };

/** The level schedule, which heijunka writes and every worker follows. */
export const ScheduleRecord = Type.Object({
  v: version(),
  classes: mapOf(Type.Number(), 'Share of each priority class while it has work'),
  demand: mapOf(Type.Number(), 'Relative demand of each type inside its class'),
  cards: Type.Optional(
    mapOf(Type.Number(), 'Cards that the kanban formula asks for, of the types whose figures are known'),
  ),
  updated_at: text('When it was written, ISO 8601'),
});
export type ScheduleRecord = Static<typeof ScheduleRecord>;
