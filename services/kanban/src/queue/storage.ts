import { setTimeout as sleep } from 'node:timers/promises';
import { ensureLanes, ensureStream, isMissingStream } from '@tps/bus';
import { laneName, PRIORITIES, type ReplyOf, type RequestOf } from '@tps/contracts';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { hardLimit } from './admission';
import type { KanbanConfig } from '../config';
import { everySecond } from '../housekeeping';
import type { QueueStats } from './queue-stats';

/** Less than a worker waits for its lanes. */
const RETIREMENT_WAIT_MS = 2_000;
const RETIREMENT_LOOK_MS = 20;
const HOUR_MS = 3_600_000;
/** A deleted stream of outcomes or dead letters is made again within this time. */
const CHECK_MS = 5_000;

export interface StorageDeps {
  context: ServiceContext<KanbanConfig>;
  queue: QueueStats;
  types: TypesView;
}

/**
 * The streams and lanes that kanban owns. It makes them at the start, and again whenever they may have gone: after a
 * reconnect, when the queue refuses an append because there is no stream, and when a look finds one missing.
 */
export class Storage {
  private ensuring: Promise<void> | null = null;
  private checkedMs = 0;
  private readonly offReconnect: () => void;
  private readonly stopChecking: () => Promise<void>;

  constructor(private readonly deps: StorageDeps) {
    const { bus, log } = deps.context;
    this.offReconnect = bus.onReconnect(() => this.ensureSoon());
    const onFault = (error: unknown): void => void log.warn('streams not checked', { error });
    // Apart from the housekeeping, which may take long: health and board go by these looks.
    this.stopChecking = everySecond(() => this.check(), onFault);
  }

  /** Makes what is missing; concurrent callers share one pass. */
  ensure(): Promise<void> {
    return (this.ensuring ??= this.ensureNow().finally(() => (this.ensuring = null)));
  }

  /** The same, for a caller who does not wait. */
  ensureSoon(): void {
    this.ensure().catch((error: unknown) => this.deps.context.log.warn('streams not made yet', { error }));
  }

  /** For workers, who must not pull from a lane before it is there, nor acknowledge what an earlier queue delivered. */
  async lanes({ types: wanted }: RequestOf<'lanes'>): Promise<ReplyOf<'lanes'>> {
    const { queue, types } = this.deps;
    const endMs = Date.now() + RETIREMENT_WAIT_MS;
    // What a retirement deletes just now would take the worker's lanes along.
    const isRemoving = (): boolean => wanted.some((type) => types.retirement(type)?.phase === 'removing');
    while (isRemoving() && Date.now() < endMs) await sleep(RETIREMENT_LOOK_MS);
    await queue.refreshNow().catch(() => this.ensure());
    await this.makeMissing(wanted);
    return { ready: true, ...(queue.created ? { created: queue.created } : {}) };
  }

  stop(): Promise<void> {
    this.offReconnect();
    return this.stopChecking();
  }

  /** Looks at the queue and makes what is missing. */
  private async check(): Promise<void> {
    const { context, queue } = this.deps;
    if (!context.bus.connected) return;
    try {
      await queue.refreshIfBusy();
    } catch (error) {
      if (!isMissingStream(error)) throw error;
      await this.ensure();
    }
    await this.makeLanes();
    if (Date.now() - this.checkedMs > CHECK_MS) await this.ensureStreams();
  }

  private async ensureNow(): Promise<void> {
    await this.ensureStreams();
    await this.deps.queue.refreshNow();
    await this.makeLanes();
  }

  private async ensureStreams(): Promise<void> {
    await ensureStreams(this.deps.context);
    this.checkedMs = Date.now();
  }

  /** Every known type has its lanes, except while a retirement may delete them. */
  private makeLanes(): Promise<void> {
    const { types } = this.deps;
    return this.makeMissing(types.known().filter((type) => !types.retirement(type)));
  }

  private async makeMissing(types: readonly string[]): Promise<void> {
    const { context, queue } = this.deps;
    const missing = types.filter((type) =>
      PRIORITIES.some((priority) => queue.lanes[laneName(type, priority)] === undefined),
    );
    for (const type of missing) await ensureLanes(context.bus, type);
    if (missing.length > 0) await queue.refreshNow();
  }
}

/** The streams that kanban owns: creates those that are absent. */
export async function ensureStreams({ bus, config }: ServiceContext<KanbanConfig>): Promise<void> {
  const replicas = config.TPS_NATS_REPLICAS;
  const kanbanMaxMessages = hardLimit(config.TPS_KANBAN_BUFFER);
  const outcomesMaxAgeMs = config.TPS_OUTCOMES_MAX_AGE * HOUR_MS;
  await ensureStream(bus, 'kanban', { replicas, kanbanMaxMessages });
  await ensureStream(bus, 'outcomes', {
    replicas,
    outcomesMaxAgeMs,
    outcomesMaxBytes: config.TPS_OUTCOMES_MAX_BYTES,
  });
  await ensureStream(bus, 'dead', { replicas });
}
