import { type Bus, ensureLanes, RecordsClient, restoreMissing } from '@tps/bus';
import { type KanbanVitals, METRICS, type TypeRecord } from '@tps/contracts';
import { FleetView, LineView, TypesView, type TypesViewOptions } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { Gauge } from 'prom-client';
import { BackupDrainer } from './backup/backup-drainer';
import { backupStatus } from './backup/status';
import { kanbanBoard } from './board';
import { type KanbanConfig, variables } from './config';
import { DeadLetterStore } from './dead-letters/dead-letter-store';
import { serveDeadLetters } from './dead-letters/endpoints';
import { RedriveJobs } from './dead-letters/redrive-jobs';
import { Requeuer } from './dead-letters/requeuer';
import { everySecond } from './every-second';
import { Acceptance } from './queue/acceptance';
import { ArrivalAnnouncer } from './queue/arrival-announcer';
import { CardLimits } from './queue/card-limits';
import { DeadlineIndex } from './queue/deadline-index';
import { Expiry } from './queue/expiry';
import { InFlightSignals } from './queue/in-flight-signals';
import { OldestWaiting } from './queue/oldest-waiting';
import { OpenSignals } from './queue/open-signals';
import { OrphanRecovery } from './queue/orphan-recovery';
import { QueueRemoval } from './queue/queue-removal';
import { QueueStats } from './queue/queue-stats';
import { QueueWriter } from './queue/queue-writer';
import { RoomForecast } from './queue/room-forecast';
import { ensureStreams, Storage } from './queue/storage';
import { UnreadableMessages } from './queue/unreadable-messages';
import { RetirementChecks } from './retirement/retirement-checks';
import { Retirements } from './retirement/retirements';
import { Revival } from './retirement/revival';

/** Pull, and limit what is unfinished: owns the durable queue and decides whether there is room. */
export const kanban: ServiceDefinition<typeof variables> = { name: 'kanban', variables, start };

async function start(context: ServiceContext<KanbanConfig>): Promise<RunningService> {
  const { bus, config, instance, log } = context;
  const buffer = config.TPS_KANBAN_BUFFER;
  const onError = (error: unknown): void => void log.error('bucket', { error });
  const options = { replicas: config.TPS_NATS_REPLICAS, onError };
  await ensureStreams(context);
  const types = await followTypes(context, options);
  const lines = await LineView.open(bus, options);
  const fleet = new FleetView(bus, { onError: (error) => log.warn('fleet', { error }) });
  const cards = await CardLimits.open(context, fleet);
  const records = new RecordsClient(bus);

  const deadlines = new DeadlineIndex(bus, lines.pausedMs.bind(lines));
  const acceptance = new Acceptance();
  const forecast = new RoomForecast(() => fleet.of('kanban').length);
  const queue = new QueueStats(bus, { acceptance, forecast, deadlines });
  const storage = new Storage(context, queue, types);
  const writer = new QueueWriter(context, { queue, acceptance, types, deadlines, storage, forecast });
  const unreadable = new UnreadableMessages(context);
  const inFlight = new InFlightSignals(context, fleet);
  const removal = new QueueRemoval(context, { inFlight, unreadable, queue, records });
  const expiry = new Expiry(context, { fleet, writer, queue, deadlines, removal });
  await Promise.all([queue.refresh(), expiry.load()]);
  serveQueue(context, writer, removal, new OpenSignals(bus, lines, inFlight));
  context.endpoint('lanes', (request) => storage.lanes(request));
  context.endpoint('cards', (request) => cards.set(request));

  const deadLetters = new DeadLetterStore(bus);
  const requeuer = new Requeuer(context, { deadLetters, writer, records });
  const redriveJobs = await RedriveJobs.open(context, { deadLetters, requeuer, records, lines, types });
  serveDeadLetters(context, deadLetters, requeuer, redriveJobs);

  const revival = new Revival(context, types);
  const drainerDeps = { writer, queue, lines, types, revival, records };
  const drainer = config.RABBITMQ_URL ? await BackupDrainer.open(context, drainerDeps) : undefined;
  const checks = new RetirementChecks(context, { types, fleet, queue, writer, redriveJobs, drainer });
  const retirements = new Retirements(context, { types, checks, revival, queue, cards, deadLetters });

  const arrivals = new ArrivalAnnouncer(context, writer, queue);
  const oldest = new OldestWaiting(bus, { queue, lines, cards });
  const orphans = new OrphanRecovery(context, queue, unreadable, records);
  const parts = [arrivals, queue, oldest, expiry, orphans, redriveJobs, retirements];
  const stopTicking = startTicking(context, drainer ? [...parts, drainer] : parts);
  registerMetrics(context, queue);
  return {
    problems: () => problems(bus, [types, lines], acceptance.problem, drainer),
    vitals: () => ({ ...vitals({ queue, oldest, buffer }, acceptance.problem, drainer) }),
    board: () => {
      const backup = backupStatus(fleet, instance, drainer?.vitals());
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

/** Lets each part do its periodic work, once a second while NATS is connected, one part after the other. */
function startTicking(
  { bus, log }: ServiceContext,
  parts: readonly { tick(): void | Promise<void> }[],
): () => Promise<void> {
  const tick = async (): Promise<void> => {
    if (bus.connected) for (const part of parts) await part.tick();
  };
  return everySecond(tick, (error) => void log.warn('periodic work failed', { error }));
}

/** Follows the signal types, and creates the lanes of each new one. */
function followTypes(
  { bus, config }: ServiceContext<KanbanConfig>,
  options: TypesViewOptions,
): Promise<TypesView> {
  const onChange = (type: string, record: TypeRecord | undefined): void => {
    if (record && !record.retired) void ensureLanes(bus, type, config.TPS_LEASE_MS).catch(options.onError);
  };
  return TypesView.open(bus, { ...options, onChange, restore: restoreMissing });
}

/** Answers the requests for signals in the queue. */
function serveQueue(
  context: ServiceContext,
  writer: QueueWriter,
  removal: QueueRemoval,
  openSignals: OpenSignals,
): void {
  context.endpoint('enqueue', writer.handle.bind(writer));
  context.endpoint('find', ({ id }) => removal.find(id));
  context.endpoint('cancel', ({ id, by }) => removal.cancel(id, by));
  context.endpoint('openSignals', (request) => openSignals.page(request));
  context.endpoint('openRuns', async ({ ids }) => ({ runs: await openSignals.runsOf(ids) }));
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
  { queue, oldest, buffer }: { queue: QueueStats; oldest: OldestWaiting; buffer: number },
  refuses: string | null,
  drainer?: BackupDrainer,
): KanbanVitals {
  const backup = drainer?.vitals();
  const queue_depth = queue.depth + (backup?.on_backup ?? 0);
  const optional = { ...(refuses === null ? {} : { refuses }), ...(backup ? { backup } : {}) };
  return { queue_depth, buffer, waiting: oldest.byType(Date.now()), ...optional };
}

function registerMetrics({ registry }: ServiceContext, queue: QueueStats): void {
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
