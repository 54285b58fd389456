import { type ArrivalsMessage, WIRE_VERSION } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { hardLimit } from './admission';
import type { KanbanConfig } from './config';
import type { Deadlines, Queued } from './deadlines';
import type { Drain } from './drain';
import type { Enqueue } from './enqueue';
import type { Queue } from './queue';
import type { Redrives } from './redrives';
import type { Rescue } from './rescue';
import type { Retirements } from './retirements';
import type { Withdrawal } from './withdrawal';

const TICK_MS = 1_000;
const MAX_EXPIRED_PER_TICK = 100;

export interface Household {
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

/** What kanban does once a second beside looking at its streams. */
export function housekeeping(household: Household): () => Promise<void> {
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
