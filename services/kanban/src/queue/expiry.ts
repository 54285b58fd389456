import { laneName } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { KanbanConfig } from '../config';
import { TICK_MS } from '../every-second';
import { hardLimit } from './admission';
import type { Deadline, DeadlineIndex, QueuedSignal } from './deadline-index';
import type { QueueRemoval } from './queue-removal';
import type { QueueStats } from './queue-stats';
import type { QueueWriter } from './queue-writer';

export interface ExpiryDeps {
  fleet: FleetView;
  writer: QueueWriter;
  queue: QueueStats;
  deadlines: DeadlineIndex;
  removal: QueueRemoval;
}

const MAX_EXPIRED_PER_TICK = 100;
/** Time for a worker to take a signal whose lease has ended. */
const REDELIVERY_MS = 2_000;

/**
 * Expires queued signals whose time is up, also where no worker pulls, and removes finished signals that a killed
 * process left in the queue.
 */
export class Expiry {
  /** Signals that were read from the stream and not yet checked for a final outcome. */
  private unchecked: QueuedSignal[] = [];
  private peers: string[] = [];

  constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly deps: ExpiryDeps,
  ) {}

  /** Reads the deadlines of the signals that the queue has at the start. If it does not answer, `tick` reads them. */
  async load(): Promise<void> {
    try {
      this.unchecked = await this.deps.deadlines.load();
    } catch (error) {
      this.context.log.warn('deadlines not read yet', { error });
    }
  }

  /** Called every second. */
  async tick(): Promise<void> {
    await this.expire();
    await this.reload();
    if (this.unchecked.length > 0) await this.deps.removal.removeFinished(this.unchecked);
    this.unchecked = [];
  }

  private async expire(): Promise<void> {
    const { deadlines, queue, removal } = this.deps;
    const startMs = Date.now();
    const leaseMs = this.context.config.TPS_LEASE_MS;
    deadlines.prune(queue.firstSeq);
    // A lease that is still running may be that of a killed worker. The worker that gets the signal next tells from the
    // delivery count whether it was started, so kanban decides only if no worker has taken it by then.
    const graceMs = ({ type, priority, seq }: Deadline): number =>
      queue.wasDelivered(laneName(type, priority), seq) ? leaseMs + REDELIVERY_MS : 0;
    for (const seq of deadlines.overdue(startMs, graceMs).slice(0, MAX_EXPIRED_PER_TICK)) {
      try {
        if (await removal.expire(seq)) deadlines.remove(seq);
      } catch (error) {
        // A signal that may have run must wait until the records answer. The others need not wait for them.
        this.context.log.warn('not expired yet', { seq, error });
        if (Date.now() - startMs > TICK_MS) return;
      }
    }
  }

  /** Reads all deadlines again if some may be missing or too many are left over. */
  private async reload(): Promise<void> {
    const { deadlines, fleet, writer } = this.deps;
    const present = fleet.of('kanban').map(({ instance }) => instance);
    const hasLostPeer = this.peers.some((peer) => !present.includes(peer));
    this.peers = present;
    // Nobody here knows the deadlines of signals that a lost peer accepted, or of an append without an answer.
    if (writer.takeUnknownAppend() || hasLostPeer) deadlines.invalidate();
    if (!deadlines.complete) this.unchecked = await deadlines.load();
    // One message that stays long keeps `prune` from removing the finished signals behind it.
    else if (deadlines.size > 2 * hardLimit(this.context.config.TPS_KANBAN_BUFFER)) await deadlines.load();
  }
}
