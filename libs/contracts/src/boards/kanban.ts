import { type Static, Type } from '@sinclair/typebox';
import { count, mapOf, nullable, text } from '../fields';
import { TypeCards } from '../limits';
import { version } from '../version';

/** One lane: the signals of one type and priority. */
export const LaneStatus = Type.Object({
  type: text('Signal type'),
  priority: Type.Integer({ description: '1 critical, 2 high, 3 normal, 4 low' }),
  waiting: count('Signals that no worker has'),
  in_progress: count('Signals in the hands of a worker, started or not, or to be tried again after a pause'),
  cards: count('Cards of the type: they bound what is in progress over all its lanes'),
  held: count('Signals that wait for the line to start again, without those that a worker has'),
  oldest_age_ms: nullable(
    Type.Integer({ minimum: 0 }),
    'Since the oldest unfinished signal was accepted, in milliseconds; null when there is none',
  ),
});
export type LaneStatus = Static<typeof LaneStatus>;

/** The unfinished signals of one type, each counted once: `queued + held + retrying + in_flight` is all of them. */
export const SignalCounts = Type.Object(
  {
    queued: count('Signals that wait for a slot or a worker'),
    held: count('Signals that wait for the line to start again'),
    retrying: count('Signals that wait for the end of their backoff'),
    in_flight: count('Signals delivered to a worker and not finished'),
    running: count('Signals of these that a handler works on'),
  },
  { description: 'Every unfinished signal, counted once' },
);
export type SignalCounts = Static<typeof SignalCounts>;

const TypeInProgress = Type.Composite([
  TypeCards,
  Type.Object({
    waiting: count('Signals that no worker has, over all lanes'),
    in_progress: count('Signals delivered to a worker, or released for a retry, over all lanes'),
    counts: Type.Optional(SignalCounts),
    holders: mapOf(
      Type.Object({
        in_hand: count('Signals it has, as of its last beat'),
        cards: Type.Optional(count('Cards it holds of a limited type')),
      }),
      'By worker',
    ),
  }),
]);

/** RabbitMQ as the place for signals that NATS cannot take. Counts are those of the living kanban processes. */
export const BackupStatus = Type.Object({
  configured: Type.Boolean({ description: 'RABBITMQ_URL is set' }),
  reachable: Type.Boolean({ description: 'kanban is connected to RabbitMQ' }),
  active: Type.Boolean({ description: 'A gateway puts new signals there' }),
  on_backup: count('Signals that wait there'),
  reconciled: count('Signals moved from the backup into the queue'),
  duplicates_suppressed: count('Signals on the backup that the queue or the records had already'),
});
export type BackupStatus = Static<typeof BackupStatus>;

/** kanban's view of itself: the queue, lane by lane, and who has what. */
export const KanbanBoard = Type.Object(
  {
    v: version(),
    queue_depth: count('Accepted and unfinished'),
    buffer: Type.Integer({ description: 'TPS_KANBAN_BUFFER: most that is accepted and unfinished' }),
    lanes: mapOf(LaneStatus, 'By lane: `<type>_<priority>`'),
    types: mapOf(TypeInProgress, 'By signal type'),
    stranded: count('Signals in the stream that no lane counts; must be 0'),
    backup: BackupStatus,
  },
  { description: 'The queue: lanes with their age and what is held, cards, who has what, buffer' },
);
export type KanbanBoard = Static<typeof KanbanBoard>;
