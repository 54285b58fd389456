import { type Bus, ensureLanes, restoreMissing } from '@tps/bus';
import { type CircuitState, type KanbanVitals, METRICS, type TypeRecord } from '@tps/contracts';
import { FleetView, LineView, TypesView, type TypesViewOptions } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { Gauge } from 'prom-client';
import { Acceptance } from './queue/acceptance';
import { kanbanBoard } from './board';
import { CardLimits } from './queue/card-limits';
import { type KanbanConfig, variables } from './config';
import { backupStatus } from './backup/status';
import { serveDeadLetters } from './dead-letters/endpoints';
import { DeadlineIndex, type QueuedSignal } from './queue/deadline-index';
import { BackupDrainer } from './backup/backup-drainer';
import { QueueWriter } from './queue/queue-writer';
import { everySecond, housekeeping } from './housekeeping';
import { OpenSignals } from './queue/open-signals';
import { QueueStats } from './queue/queue-stats';
import { OrphanRecovery } from './queue/orphan-recovery';
import { RetirementChecks } from './retirement/retirement-checks';
import { Retirements } from './retirement/retirements';
import { Revival } from './retirement/revival';
import { ensureStreams, Storage } from './queue/storage';
import { UnreadableMessages } from './queue/unreadable-messages';
import { QueueRemoval } from './queue/queue-removal';

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
  const deadlines = new DeadlineIndex(bus, lines.heldMs.bind(lines));
  const acceptance = new Acceptance();
  const queue = new QueueStats(bus, acceptance, () => deadlines.forget());
  const storage = new Storage({ context, queue, types });
  const fleet = new FleetView(bus, { onError: (error) => log.warn('fleet', { error }) });
  const cards = await CardLimits.open(context, fleet);
  const unreadable = new UnreadableMessages(context);
  const removal = new QueueRemoval(context, fleet, unreadable);
  const [, leftovers] = await Promise.all([queue.refresh(), loadDeadlines(context, deadlines)]);
  const rescue = new OrphanRecovery(context, queue, unreadable);
  const writer = new QueueWriter(context, {
    queue,
    acceptance,
    types,
    onAccepted: ({ signal, seq }) => deadlines.add(signal, seq, Date.now()),
    onMissing: () => storage.ensureSoon(),
  });

  const open = new OpenSignals(bus, lines, removal);
  registerEndpoints(context, { writer, removal, cards, open, storage });
  const lineOf = (type: string): CircuitState => lines.state(type);
  const { deadLetters, redriveJobs } = await serveDeadLetters(context, writer, { lineOf, types });
  const revival = new Revival(context, types);
  const drainParts = { writer, queue, lines, types, revival };
  const drainer = config.RABBITMQ_URL ? await BackupDrainer.open(context, drainParts) : undefined;
  const checks = new RetirementChecks(context, { types, fleet, queue, writer, redriveJobs, drainer });
  const retirements = new Retirements(context, { types, checks, revival, queue, cards, deadLetters });
  exposeMetrics(context, queue);

  const parts = {
    ...{ context, fleet, writer, queue, deadlines, removal, rescue, redriveJobs, retirements, drainer },
    leftovers,
  };
  const onFault = (error: unknown): void => void log.warn('housekeeping failed', { error });
  const stopTicking = everySecond(housekeeping(parts), onFault);
  return {
    problems: () => problems(bus, [types, lines], acceptance.problem, drainer),
    vitals: () => vitals(queue, buffer, acceptance.problem, drainer),
    board: () => {
      const backup = backupStatus(fleet, context.instance, drainer?.vitals());
      return kanbanBoard({ bus, fleet, queue, cards, lines, buffer, backup, types: types.known() });
    },
    stop: async () => {
      await drainer?.stop();
      await Promise.all([stopTicking(), storage.stop()]);
      await retirements.stop();
      await redriveJobs.stop();
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
function loadDeadlines({ log }: ServiceContext, deadlines: DeadlineIndex): Promise<QueuedSignal[]> {
  return deadlines.load().catch((error: unknown) => {
    log.warn('deadlines not read yet', { error });
    return [];
  });
}

interface Desks {
  storage: Storage;
  writer: QueueWriter;
  removal: QueueRemoval;
  cards: CardLimits;
  open: OpenSignals;
}

function registerEndpoints(context: ServiceContext, { writer, removal, cards, open, storage }: Desks): void {
  context.endpoint('enqueue', writer.handle.bind(writer));
  context.endpoint('lanes', (request) => storage.lanes(request));
  context.endpoint('find', ({ id }) => removal.find(id));
  context.endpoint('cancel', ({ id, by }) => removal.cancel(id, by));
  context.endpoint('openSignals', (request) => open.page(request));
  context.endpoint('openRuns', async ({ ids }) => ({ runs: await open.runsOf(ids) }));
  context.endpoint('cards', (request) => cards.set(request));
}

/** A kanban that cannot append is ready as long as the backup takes signals instead. */
function problems(
  bus: Bus,
  views: readonly { problems(): string[] }[],
  refuses: string | null,
  drainer?: BackupDrainer,
): string[] {
  if (!bus.connected) return ['not connected to NATS'];
  const isBackedUp = drainer?.vitals().reachable ?? false;
  const lost = views.flatMap((view) => view.problems());
  return refuses !== null && !isBackedUp ? [`the queue takes no signals: ${refuses}`, ...lost] : lost;
}

function vitals(
  queue: QueueStats,
  buffer: number,
  refuses: string | null,
  drainer?: BackupDrainer,
): Record<string, unknown> {
  const backup = drainer?.vitals();
  const queue_depth = queue.depth + (backup?.on_backup ?? 0);
  const optional = { ...(refuses === null ? {} : { refuses }), ...(backup ? { backup } : {}) };
  return { queue_depth, buffer, ...optional } satisfies KanbanVitals;
}

function exposeMetrics({ registry }: ServiceContext, queue: QueueStats): void {
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
      this.set(queue.orphans);
    },
  });
}
