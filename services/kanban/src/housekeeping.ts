import { type ArrivalsMessage, WIRE_VERSION } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { hardLimit } from './queue/admission';
import type { KanbanConfig } from './config';
import type { DeadlineIndex, QueuedSignal } from './queue/deadline-index';
import type { BackupDrainer } from './backup/backup-drainer';
import type { QueueWriter } from './queue/queue-writer';
import type { QueueStats } from './queue/queue-stats';
import type { RedriveJobs } from './dead-letters/redrive-jobs';
import type { OrphanRecovery } from './queue/orphan-recovery';
import type { Retirements } from './retirement/retirements';
import type { QueueRemoval } from './queue/queue-removal';

const TICK_MS = 1_000;
const MAX_EXPIRED_PER_TICK = 100;

export interface Household {
  context: ServiceContext<KanbanConfig>;
  fleet: FleetView;
  writer: QueueWriter;
  queue: QueueStats;
  deadlines: DeadlineIndex;
  removal: QueueRemoval;
  rescue: OrphanRecovery;
  redriveJobs: RedriveJobs;
  retirements: Retirements;
  drainer: BackupDrainer | undefined;
  /** What the stream held before this process came: some of it may be finished. */
  leftovers: QueuedSignal[];
}

/** What kanban does once a second beside looking at its streams. */
export function housekeeping(household: Household): () => Promise<void> {
  const { context, fleet, writer, queue, deadlines, removal, rescue, redriveJobs, retirements, drainer } =
    household;
  let { leftovers } = household;
  let peers: string[] = [];
  return async () => {
    if (!context.bus.connected) return;
    announce(context, writer, queue);
    await queue.refreshIfBusy();
    await expire(household);
    await rescue.tick();
    await redriveJobs.takeOver();
    await retirements.tick();
    await drainer?.refreshWaiting();
    const present = fleet.of('kanban').map(({ instance }) => instance);
    // What one accepted that is gone, or an append whose answer was lost, has a deadline that nobody here knows.
    if (writer.hasUnknownAppend || peers.some((one) => !present.includes(one))) deadlines.complete = false;
    peers = present;
    writer.hasUnknownAppend = false;
    if (!deadlines.complete) leftovers = await deadlines.load();
    // Behind one message that stays for long, finished ones gather here: read afresh what is left.
    else if (deadlines.size > 2 * hardLimit(context.config.TPS_KANBAN_BUFFER)) await deadlines.load();
    if (leftovers.length > 0) await removal.removeFinished(leftovers);
    leftovers = [];
  };
}

async function expire({ context: { log }, deadlines, queue, removal }: Household): Promise<void> {
  const began = Date.now();
  deadlines.prune(queue.firstSeq);
  for (const seq of deadlines.overdue(began).slice(0, MAX_EXPIRED_PER_TICK)) {
    try {
      if (await removal.expire(seq)) deadlines.remove(seq);
    } catch (error) {
      // Of one that may have run the records are asked, and without them it waits: the others need not.
      log.warn('not expired yet', { seq, error });
      if (Date.now() - began > TICK_MS) return;
    }
  }
}

/** Says what arrived on each lane and what waits there: demand is measured from arrivals, not from completions. */
function announce({ bus, instance }: ServiceContext, writer: QueueWriter, queue: QueueStats): void {
  const waiting = queue.waiting();
  const { arrivals } = writer;
  if (Object.keys(arrivals).length === 0 && Object.keys(waiting).length === 0 && queue.depth === 0) {
    if (!announcedWork.delete(writer)) return;
  } else announcedWork.add(writer);
  writer.arrivals = {};
  const message: ArrivalsMessage = { v: WIRE_VERSION, instance, interval_ms: TICK_MS, arrivals, waiting };
  bus.nc.publish(bus.names.subjects.arrivals, JSON.stringify(message));
}

/** Who announced work has to announce once more that it is gone; then silence costs nothing. */
const announcedWork = new WeakSet<QueueWriter>();

/** Runs a task once a second, unless it still runs. @returns a function that ends that and waits for the last run */
export function everySecond(
  task: () => Promise<void>,
  onError: (error: unknown) => void,
): () => Promise<void> {
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
