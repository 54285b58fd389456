import { type Static, type TObject, Type } from '@sinclair/typebox';
import { Colour } from './andon';
import { list, mapOf, number, oneOf, text, time } from './fields';
import { check, type Message, parse } from './parse';
import { type ServiceName, SERVICES } from './fleet';
import { version } from './version';

/** How often every process sends its heartbeat, in milliseconds. */
export const HEARTBEAT_MS = 1_000;

const BlockedLoop = Type.Object({
  ms: number('How long the event loop has been blocked; after the end, how long it was blocked in all'),
  signal_type: Type.Optional(Type.String({ description: 'Absent: not known which handler it is' })),
  signal_id: Type.Optional(Type.String()),
  types: list(Type.String(), 'Types of all signals whose handlers were started'),
  ended: Type.Optional(Type.Literal(true, { description: 'The block is over' })),
});
/** A handler that blocks the event loop of its worker process, or has just done so. */
export type BlockedLoop = Static<typeof BlockedLoop>;

const WorkerVitals = Type.Object({
  slots: Type.Integer({ description: 'Signals it works on at once, at most' }),
  busy: Type.Integer({ description: 'Slots that work on a signal now' }),
  types: list(Type.String(), 'Signal types that it serves'),
  started: Type.Integer({ description: 'Signals started since the process began' }),
  in_hand: mapOf(
    Type.Integer(),
    'Signals it claims, by type: requested from a lane, or in flight; types without any are absent',
  ),
  running: Type.Optional(
    mapOf(Type.Integer(), 'Slots that run a handler, by type; absent in the version before'),
  ),
  in_flight: Type.Optional(
    mapOf(
      Type.Integer(),
      'Signals delivered and not acknowledged yet, started or not, by type; absent in the version before',
    ),
  ),
  retrying: Type.Optional(
    mapOf(Type.Integer(), 'Signals that it released for a retry and whose backoff is not over, by type'),
  ),
  oldest_waiting_ms: Type.Optional(
    mapOf(number('Milliseconds'), 'By type: how long the oldest delivered signal has waited for a slot'),
  ),
  since_start_ms: Type.Optional(
    mapOf(number('Milliseconds'), 'By type: how long ago it last started a handler; absent before the first'),
  ),
  failing: Type.Optional(
    mapOf(
      list(Type.String(), 'Dependencies'),
      'By type: dependencies left alone at present, because they failed',
    ),
  ),
  deaf: mapOf(
    Type.Integer(),
    'Handlers that ignore their AbortSignal, by type; types without any are absent',
  ),
  blocked: Type.Optional(BlockedLoop),
});
/** The vital figures of one worker process. */
export type WorkerVitals = Static<typeof WorkerVitals>;

const BackupDrainerVitals = Type.Object({
  reachable: Type.Boolean({ description: 'Connected to RabbitMQ' }),
  appends: Type.Boolean({ description: 'JetStream stored the last signal that this process moved' }),
  on_backup: Type.Integer({ description: 'Signals that wait on the backup' }),
  reconciled: Type.Integer({ description: 'Moved into the queue since the process began' }),
  duplicates_suppressed: Type.Integer({ description: 'Found to be in the queue or finished already' }),
});
/** The state of the backup, as one kanban process knows it. RabbitMQ gives messages to only one of them at a time. */
export type BackupDrainerVitals = Static<typeof BackupDrainerVitals>;

const WaitingSignals = Type.Object({
  signals: Type.Integer({ description: 'Signals that no worker has' }),
  oldest_ms: Type.Optional(
    number('How long the oldest of them has waited, without the time in which its line was stopped'),
  ),
  cards: Type.Optional(Type.Integer({ description: 'The card limit; absent without one' })),
  max_per_s: Type.Optional(number('Signals that may start per second; absent without a limit')),
});
/** What waits in the lanes of one type, and the limits that people have set on it. */
export type WaitingSignals = Static<typeof WaitingSignals>;

const KanbanVitals = Type.Object({
  queue_depth: Type.Integer({ description: 'Accepted and unfinished, what waits on the backup included' }),
  buffer: Type.Integer({ description: 'TPS_KANBAN_BUFFER' }),
  refuses: Type.Optional(
    Type.String({ description: 'Why the queue takes no signals now; absent while it does' }),
  ),
  backup: Type.Optional(BackupDrainerVitals),
  waiting: Type.Optional(
    mapOf(WaitingSignals, 'By type, of lines that run; types without waiting signals are absent'),
  ),
});
/** The queue, as one kanban process sees it. */
export type KanbanVitals = Static<typeof KanbanVitals>;

const GatewayVitals = Type.Object({
  waiting: Type.Integer({ description: 'Callers that wait for an outcome' }),
  refused_5m: Type.Optional(
    mapOf(
      Type.Integer(),
      'Signals that it refused in the last five minutes because their line was stopped or the queue took none, by type',
    ),
  ),
  offered_5m: Type.Optional(
    mapOf(
      Type.Integer(),
      'Signals that clients offered in the last five minutes, accepted or refused, by type',
    ),
  ),
  offered_per_s: Type.Optional(
    mapOf(
      number('Signals per second'),
      'The same over the last ten seconds, or over the time since the first',
    ),
  ),
  full_5m: Type.Optional(
    mapOf(Type.Integer(), 'Signals refused for want of room in the last five minutes, by type'),
  ),
  backup: Type.Optional(
    Type.Object({
      active: Type.Boolean({ description: 'New signals go to the backup without asking kanban' }),
    }),
  ),
});
/** The callers that wait at one gateway process, and where it puts new signals. */
export type GatewayVitals = Static<typeof GatewayVitals>;

const MissingProcess = Type.Object({
  service: oneOf(SERVICES),
  instance: Type.String(),
  ms: number('For how long, in milliseconds'),
});
/** A process whose heartbeats ended without `leaving`, and that no other process has replaced. */
export type MissingProcess = Static<typeof MissingProcess>;

const AndonVitals = Type.Object({
  colour: Colour,
  missed: list(MissingProcess, 'The processes that it misses'),
});
/** The fleet, as one andon process sees it. */
export type AndonVitals = Static<typeof AndonVitals>;

/** The vital figures of a service that no other service reads. */
const FreeVitals = { shape: Type.Object({}, { additionalProperties: true }), none: {} };

/** The vital figures that other services read. `none` stands in for figures that a heartbeat lacks. */
export const VITALS = {
  gateway: { shape: GatewayVitals, none: { waiting: 0 } },
  kanban: { shape: KanbanVitals, none: { queue_depth: 0, buffer: 0 } },
  worker: { shape: WorkerVitals, none: { slots: 0, busy: 0, types: [], started: 0, in_hand: {}, deaf: {} } },
  andon: { shape: AndonVitals, none: { colour: 'GREEN', missed: [] } },
} satisfies Partial<Record<ServiceName, { shape: TObject; none: object }>>;
const vitalsOf = (service: ServiceName): { shape: TObject; none: object } =>
  service in VITALS ? VITALS[service as keyof typeof VITALS] : FreeVitals;
const PARTIAL = new Map(SERVICES.map((service) => [service, Type.Partial(vitalsOf(service).shape)]));

/** The vital figures of one service. */
export type Vitals<S extends ServiceName> = Static<
  S extends keyof typeof VITALS ? (typeof VITALS)[S]['shape'] : (typeof FreeVitals)['shape']
>;

const LostState = Type.Object({
  name: text("The stream's name; a bucket's begins with KV_"),
  life: text(
    'Identifies the stream that took its place, so that a loss counts once, however many processes saw it',
  ),
  entries: Type.Optional(
    Type.Integer({
      description: 'Its entries as far as known: unfinished signals of KANBAN, keys of a bucket',
    }),
  ),
  gone: Type.Optional(
    Type.Literal(true, { description: 'Lost for good: nobody who remembers the keys wrote them again' }),
  ),
});
/** A stream or bucket that the broker lost while a process followed it: another one of the same name took its place. */
export type LostState = Static<typeof LostState>;

export const Heartbeat = Type.Object({
  v: version(),
  service: oneOf(SERVICES),
  instance: text('The process: INSTANCE_ID, or host and pid'),
  started_at: time('When the process began'),
  at: time("The sender's clock"),
  ready: Type.Boolean(),
  leaving: Type.Optional(Type.Literal(true, { description: 'It stops, and finishes what it has' })),
  vitals: Type.Object({}, { description: 'As the service has them' }),
  lost: Type.Optional(list(LostState, 'Streams and buckets that it saw the broker lose lately')),
});
/** The message that every process publishes once a second: it lives, it is ready or not, and its vital figures. */
export type Heartbeat<S extends ServiceName = ServiceName> = Omit<
  Static<typeof Heartbeat>,
  'service' | 'vitals'
> & {
  service: S;
  vitals: Vitals<S>;
};

/**
 * Reads a heartbeat. A process that stops during its start, or that has the version before, lacks some figures; they become
 * zero or empty.
 *
 * @throws MessageError
 */
export function parseHeartbeat(message: Message): Heartbeat {
  const heartbeat = parse(Heartbeat, message, 'heartbeat');
  const what = `heartbeat of ${heartbeat.service} ${heartbeat.instance}, vitals`;
  const known = check(PARTIAL.get(heartbeat.service)!, heartbeat.vitals, what);
  return { ...heartbeat, vitals: { ...vitalsOf(heartbeat.service).none, ...known } };
}
