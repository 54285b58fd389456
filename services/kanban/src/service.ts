import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, ensureLanes, ensureStream, restoreMissing } from '@tps/bus';
import {
  type ArrivalsMessage,
  type CircuitState,
  type KanbanVitals,
  METRICS,
  type ReplyOf,
  type RequestOf,
  type TypeRecord,
  WIRE_VERSION,
} from '@tps/contracts';
import {
  FleetView,
  LineView,
  type RunningService,
  type ServiceContext,
  type ServiceDefinition,
  TypesView,
  type TypesViewOptions,
} from '@tps/service';
import { Gauge } from 'prom-client';
import { hardLimit } from './admission';
import { kanbanBoard } from './board';
import { CardsDesk } from './cards';
import { type KanbanConfig, variables } from './config';
import { backupStatus } from './backup-status';
import { serveDeadLetters } from './dead-letters';
import { Deadlines, type Queued } from './deadlines';
import { Drain } from './drain';
import { Enqueue } from './enqueue';
import { OpenSignals } from './open-signals';
import { Queue } from './queue';
import type { Redrives } from './redrives';
import { Rescue } from './rescue';
import { RetirementChecks } from './retirement-checks';
import { Retirements } from './retirements';
import { Revival } from './revival';
import { Unreadable } from './unreadable';
import { Withdrawal } from './withdrawal';

const TICK_MS = 1_000;
const MAX_EXPIRED_PER_TICK = 100;
/** Less than a worker waits for its lanes. */
const RETIREMENT_WAIT_MS = 2_000;
const RETIREMENT_LOOK_MS = 20;

/** Pull, and limit what is unfinished: owns the durable queue and decides whether there is room. */
export const kanban: ServiceDefinition<typeof variables> = { name: 'kanban', variables, start };

async function start(context: ServiceContext<KanbanConfig>): Promise<RunningService> {
  const { bus, config, log } = context;
  const replicas = config.TPS_NATS_REPLICAS;
  const buffer = config.TPS_KANBAN_BUFFER;
  const onError = (error: unknown): void => void log.error('bucket', { error });

  await ensureStreams(bus, config);
  const types = await followTypes(bus, { replicas, onError });
  const lines = await LineView.open(bus, { replicas, onError });

  const queue = new Queue(bus);
  const fleet = new FleetView(bus, { onError: (error) => log.warn('fleet', { error }) });
  const cards = await CardsDesk.open(context, fleet);
  const unreadable = new Unreadable(context);
  const withdrawal = new Withdrawal(context, fleet, unreadable);
  const deadlines = new Deadlines(bus, lines.heldMs.bind(lines));
  const loading = deadlines.load().catch((error: unknown) => {
    log.warn('deadlines not read yet', { error });
    return [];
  });
  const [, leftovers] = await Promise.all([queue.refresh(), loading]);
  const rescue = new Rescue(context, queue, unreadable);
  const enqueue = new Enqueue(context, queue, types, ({ signal, seq }) =>
    deadlines.add(signal, seq, Date.now()),
  );

  const open = new OpenSignals(bus, lines, withdrawal);
  registerEndpoints(context, { enqueue, withdrawal, cards, open, types });
  const lineOf = (type: string): CircuitState => lines.state(type);
  const { letters, redrives } = await serveDeadLetters(context, enqueue, { lineOf, types });
  const revival = new Revival(context, types);
  const drainParts = { enqueue, queue, lines, types, revival };
  const drain = config.RABBITMQ_URL ? await Drain.open(context, drainParts) : undefined;
  const checks = new RetirementChecks(context, { types, fleet, queue, enqueue, redrives, drain });
  const retirements = new Retirements(context, { types, checks, revival, queue, cards, letters });
  exposeMetrics(context, queue);

  const parts = {
    ...{ context, fleet, enqueue, queue, deadlines, withdrawal, rescue, redrives, retirements, drain },
    leftovers,
  };
  const stopTicking = everySecond(housekeeping(parts), (error) => log.warn('housekeeping failed', { error }));
  return {
    vitals: () => vitals(queue, buffer, drain),
    board: () => {
      const backup = backupStatus(fleet, context.instance, drain?.vitals());
      return kanbanBoard({ bus, queue, cards, lines, buffer, backup, types: types.known() });
    },
    stop: async () => {
      await drain?.stop();
      await stopTicking();
      await retirements.stop();
      await redrives.stop();
      for (const view of [fleet, cards, types, lines]) view.close();
    },
  };
}

/** Every known type has its lanes, except while a retirement may delete them. */
function followTypes(bus: Bus, options: TypesViewOptions): Promise<TypesView> {
  const onChange = (type: string, record: TypeRecord | undefined): void => {
    if (record && !record.retired) void ensureLanes(bus, type).catch(options.onError);
  };
  return TypesView.open(bus, { ...options, onChange, restore: restoreMissing });
}

interface Household {
  context: ServiceContext<KanbanConfig>;
  fleet: FleetView;
  enqueue: Enqueue;
  queue: Queue;
  deadlines: Deadlines;
  withdrawal: Withdrawal;
  rescue: Rescue;
  redrives: Redrives;
  retirements: Retirements;
  drain: Drain | undefined;
  /** What the stream held before this process came: some of it may be finished. */
  leftovers: Queued[];
}

function housekeeping(household: Household): () => Promise<void> {
  const { context, fleet, enqueue, queue, deadlines, withdrawal, rescue, redrives, retirements, drain } =
    household;
  let { leftovers } = household;
  let peers: string[] = [];
  return async () => {
    if (!context.bus.connected) return;
    announce(context, enqueue, queue);
    await queue.refreshIfBusy();
    await expire(household);
    await rescue.tick();
    await redrives.adopt();
    await retirements.tick();
    await drain?.count();
    const present = fleet.of('kanban').map(({ instance }) => instance);
    // What one accepted that is gone, or an append whose answer was lost, has a deadline that nobody here knows.
    if (enqueue.unsure || peers.some((one) => !present.includes(one))) deadlines.complete = false;
    peers = present;
    enqueue.unsure = false;
    if (!deadlines.complete) leftovers = await deadlines.load();
    // Behind one message that stays for long, finished ones gather here: read afresh what is left.
    else if (deadlines.size > 2 * hardLimit(context.config.TPS_KANBAN_BUFFER)) await deadlines.load();
    if (leftovers.length > 0) await withdrawal.removeFinished(leftovers);
    leftovers = [];
  };
}

async function ensureStreams(bus: Bus, config: KanbanConfig & { TPS_NATS_REPLICAS: number }): Promise<void> {
  const replicas = config.TPS_NATS_REPLICAS;
  await ensureStream(bus, 'kanban', { replicas, kanbanMaxMessages: hardLimit(config.TPS_KANBAN_BUFFER) });
  await ensureStream(bus, 'outcomes', {
    replicas,
    outcomesMaxAgeMs: config.TPS_OUTCOMES_MAX_AGE * 3_600_000,
  });
  await ensureStream(bus, 'dead', { replicas });
}

interface Desks {
  enqueue: Enqueue;
  withdrawal: Withdrawal;
  cards: CardsDesk;
  open: OpenSignals;
  types: TypesView;
}

function registerEndpoints(
  context: ServiceContext,
  { enqueue, withdrawal, cards, open, types }: Desks,
): void {
  context.endpoint('enqueue', enqueue.handle.bind(enqueue));
  context.endpoint('lanes', (request) => makeLanes(context.bus, types, request));
  context.endpoint('find', ({ id }) => withdrawal.find(id));
  context.endpoint('cancel', ({ id, by }) => withdrawal.cancel(id, by));
  context.endpoint('openSignals', (request) => open.page(request));
  context.endpoint('openRuns', async ({ ids }) => ({ runs: await open.runsOf(ids) }));
  context.endpoint('cards', (request) => cards.set(request));
}

/** A worker pulls only when it has the answer: so nothing is in progress on lanes that a retirement deletes. */
async function makeLanes(
  bus: Bus,
  known: TypesView,
  { types }: RequestOf<'lanes'>,
): Promise<ReplyOf<'lanes'>> {
  const endMs = Date.now() + RETIREMENT_WAIT_MS;
  for (const type of types) {
    while (known.retirement(type)?.phase === 'removing' && Date.now() < endMs)
      await sleep(RETIREMENT_LOOK_MS);
    await ensureLanes(bus, type);
  }
  return { ready: true };
}

function vitals(queue: Queue, buffer: number, drain?: Drain): Record<string, unknown> {
  const backup = drain?.vitals();
  const queue_depth = queue.depth + (backup?.on_backup ?? 0);
  return { queue_depth, buffer, ...(backup ? { backup } : {}) } satisfies KanbanVitals;
}

async function expire({ context: { log }, deadlines, queue, withdrawal }: Household): Promise<void> {
  const began = Date.now();
  deadlines.prune(queue.firstSeq);
  for (const seq of deadlines.overdue(began).slice(0, MAX_EXPIRED_PER_TICK)) {
    try {
      if (await withdrawal.expire(seq)) deadlines.remove(seq);
    } catch (error) {
      // Of one that may have run the records are asked, and without them it waits: the others need not.
      log.warn('not expired yet', { seq, error });
      if (Date.now() - began > TICK_MS) return;
    }
  }
}

/** Says what arrived on each lane and what waits there: demand is measured from arrivals, not from completions. */
function announce({ bus, instance }: ServiceContext, enqueue: Enqueue, queue: Queue): void {
  const waiting = queue.waiting();
  const { arrivals } = enqueue;
  if (Object.keys(arrivals).length === 0 && Object.keys(waiting).length === 0 && queue.depth === 0) {
    if (!announcedWork.delete(enqueue)) return;
  } else announcedWork.add(enqueue);
  enqueue.arrivals = {};
  const message: ArrivalsMessage = { v: WIRE_VERSION, instance, interval_ms: TICK_MS, arrivals, waiting };
  bus.nc.publish(bus.names.subjects.arrivals, JSON.stringify(message));
}

/** Who announced work has to announce once more that it is gone; then silence costs nothing. */
const announcedWork = new WeakSet<Enqueue>();

function everySecond(task: () => Promise<void>, onError: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= task()
      .catch(onError)
      .finally(() => (running = null));
  }, TICK_MS);
  return async () => {
    clearInterval(timer);
    await running;
  };
}

function exposeMetrics({ registry }: ServiceContext, queue: Queue): void {
  new Gauge({
    ...METRICS.laneSignals,
    registers: [registry],
    collect() {
      this.reset();
      for (const { type, priority, waiting, in_progress } of Object.values(queue.lanes)) {
        this.set({ signal_type: type, priority, state: 'waiting' }, waiting);
        this.set({ signal_type: type, priority, state: 'in_progress' }, in_progress);
      }
    },
  });
  new Gauge({
    ...METRICS.strandedSignals,
    registers: [registry],
    collect() {
      this.set(queue.stranded);
    },
  });
}
