import { type Bus, ensureLanes, restoreMissing } from '@tps/bus';
import { type CircuitState, type KanbanVitals, METRICS, type TypeRecord } from '@tps/contracts';
import { FleetView, LineView, TypesView, type TypesViewOptions } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { Gauge } from 'prom-client';
import { Acceptance } from './acceptance';
import { kanbanBoard } from './board';
import { CardsDesk } from './cards';
import { type KanbanConfig, variables } from './config';
import { backupStatus } from './backup-status';
import { serveDeadLetters } from './dead-letters';
import { Deadlines, type Queued } from './deadlines';
import { Drain } from './drain';
import { Enqueue } from './enqueue';
import { everySecond, housekeeping } from './housekeeping';
import { OpenSignals } from './open-signals';
import { Queue } from './queue';
import { Rescue } from './rescue';
import { RetirementChecks } from './retirement-checks';
import { Retirements } from './retirements';
import { Revival } from './revival';
import { ensureStreams, Storage } from './storage';
import { Unreadable } from './unreadable';
import { Withdrawal } from './withdrawal';

/** Pull, and limit what is unfinished: owns the durable queue and decides whether there is room. */
export const kanban: ServiceDefinition<typeof variables> = { name: 'kanban', variables, start };

async function start(context: ServiceContext<KanbanConfig>): Promise<RunningService> {
  const { bus, config, log } = context;
  const replicas = config.TPS_NATS_REPLICAS;
  const buffer = config.TPS_KANBAN_BUFFER;
  const onError = (error: unknown): void => void log.error('bucket', { error });

  await ensureStreams(context);
  const types = await followTypes(bus, { replicas, onError });
  const lines = await LineView.open(bus, { replicas, onError });
  const deadlines = new Deadlines(bus, lines.heldMs.bind(lines));
  const acceptance = new Acceptance();
  const queue = new Queue(bus, acceptance, () => deadlines.forget());
  const storage = new Storage({ context, queue, types });
  const fleet = new FleetView(bus, { onError: (error) => log.warn('fleet', { error }) });
  const cards = await CardsDesk.open(context, fleet);
  const unreadable = new Unreadable(context);
  const withdrawal = new Withdrawal(context, fleet, unreadable);
  const [, leftovers] = await Promise.all([queue.refresh(), loadDeadlines(context, deadlines)]);
  const rescue = new Rescue(context, queue, unreadable);
  const enqueue = new Enqueue(context, {
    queue,
    acceptance,
    types,
    onAccepted: ({ signal, seq }) => deadlines.add(signal, seq, Date.now()),
    onMissing: () => storage.ensureSoon(),
  });

  const open = new OpenSignals(bus, lines, withdrawal);
  registerEndpoints(context, { enqueue, withdrawal, cards, open, storage });
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
  const onFault = (error: unknown): void => void log.warn('housekeeping failed', { error });
  const stopTicking = everySecond(housekeeping(parts), onFault);
  return {
    problems: () => problems(bus, [types, lines], acceptance.problem, drain),
    vitals: () => vitals(queue, buffer, acceptance.problem, drain),
    board: () => {
      const backup = backupStatus(fleet, context.instance, drain?.vitals());
      return kanbanBoard({ bus, queue, cards, lines, buffer, backup, types: types.known() });
    },
    stop: async () => {
      await drain?.stop();
      await Promise.all([stopTicking(), storage.stop()]);
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

/** @returns what the stream holds; nothing when it does not answer yet */
function loadDeadlines({ log }: ServiceContext, deadlines: Deadlines): Promise<Queued[]> {
  return deadlines.load().catch((error: unknown) => {
    log.warn('deadlines not read yet', { error });
    return [];
  });
}

interface Desks {
  storage: Storage;
  enqueue: Enqueue;
  withdrawal: Withdrawal;
  cards: CardsDesk;
  open: OpenSignals;
}

function registerEndpoints(
  context: ServiceContext,
  { enqueue, withdrawal, cards, open, storage }: Desks,
): void {
  context.endpoint('enqueue', enqueue.handle.bind(enqueue));
  context.endpoint('lanes', (request) => storage.lanes(request));
  context.endpoint('find', ({ id }) => withdrawal.find(id));
  context.endpoint('cancel', ({ id, by }) => withdrawal.cancel(id, by));
  context.endpoint('openSignals', (request) => open.page(request));
  context.endpoint('openRuns', async ({ ids }) => ({ runs: await open.runsOf(ids) }));
  context.endpoint('cards', (request) => cards.set(request));
}

/** A kanban that cannot append is ready as long as the backup takes signals instead. */
function problems(
  bus: Bus,
  views: readonly { problems(): string[] }[],
  refuses: string | null,
  drain?: Drain,
): string[] {
  if (!bus.connected) return ['not connected to NATS'];
  const isBackedUp = drain?.vitals().reachable ?? false;
  const lost = views.flatMap((view) => view.problems());
  return refuses !== null && !isBackedUp ? [`the queue takes no signals: ${refuses}`, ...lost] : lost;
}

function vitals(
  queue: Queue,
  buffer: number,
  refuses: string | null,
  drain?: Drain,
): Record<string, unknown> {
  const backup = drain?.vitals();
  const queue_depth = queue.depth + (backup?.on_backup ?? 0);
  const optional = { ...(refuses === null ? {} : { refuses }), ...(backup ? { backup } : {}) };
  return { queue_depth, buffer, ...optional } satisfies KanbanVitals;
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
