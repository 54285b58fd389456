import { setTimeout as sleep } from 'node:timers/promises';
import { ensureLanes, ensureStream, isMissingStream } from '@tps/bus';
import { laneName, PRIORITIES, type ReplyOf, type RequestOf } from '@tps/contracts';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { hardLimit } from './admission';
import type { KanbanConfig } from '../config';
import { everySecond } from '../every-second';
import type { QueueStats } from './queue-stats';

/** Shorter than a worker waits for its lanes. */
const RETIREMENT_WAIT_MS = 2_000;
const RETIREMENT_CHECK_MS = 20;
const HOUR_MS = 3_600_000;
/** Within this time a deleted stream OUTCOMES or DEAD is created again. */
const CHECK_MS = 5_000;

/**
 * The streams and lanes that kanban owns. It creates them at the start, and again whenever they may be missing: after a
 * reconnect, when no stream takes an append, and when a check finds one missing.
 */
export class Storage {
  private ensuring: Promise<void> | null = null;
  private checkedMs = 0;
  private readonly offReconnect: () => void;
  private readonly stopChecking: () => Promise<void>;

  constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly queue: QueueStats,
    private readonly types: TypesView,
  ) {
    const { bus, log } = context;
    this.offReconnect = bus.onReconnect(() => this.ensureSoon());
    const onFault = (error: unknown): void => void log.warn('streams not checked', { error });
    // Separate from the other periodic work, which may take long, because health and board rely on these checks.
    this.stopChecking = everySecond(() => this.check(), onFault);
  }

  /** Creates missing streams and lanes. Concurrent callers share one pass. */
  ensure(): Promise<void> {
    return (this.ensuring ??= this.ensureNow().finally(() => (this.ensuring = null)));
  }

  /** As `ensure`, for a caller that does not wait. */
  ensureSoon(): void {
    this.ensure().catch((error: unknown) => this.context.log.warn('streams not created yet', { error }));
  }

  /** Creates lanes for a worker, and tells it which queue they belong to, so that it acknowledges no delivery of an earlier one. */
  async lanes({ types: wanted }: RequestOf<'lanes'>): Promise<ReplyOf<'lanes'>> {
    const { queue, types } = this;
    const endMs = Date.now() + RETIREMENT_WAIT_MS;
    // A retirement that is under way would delete the lanes again.
    const isRemoving = (): boolean => wanted.some((type) => types.retirement(type)?.phase === 'removing');
    while (isRemoving() && Date.now() < endMs) await sleep(RETIREMENT_CHECK_MS);
    await queue.refreshNow().catch(() => this.ensure());
    await this.createMissing(wanted);
    const lease_ms = this.context.config.TPS_LEASE_MS;
    return { ready: true, lease_ms, ...(queue.created ? { created: queue.created } : {}) };
  }

  stop(): Promise<void> {
    this.offReconnect();
    return this.stopChecking();
  }

  /** Reads the queue and creates what is missing. */
  private async check(): Promise<void> {
    const { context, queue } = this;
    if (!context.bus.connected) return;
    try {
      await queue.tick();
    } catch (error) {
      if (!isMissingStream(error)) throw error;
      await this.ensure();
    }
    await this.createLanes();
    if (Date.now() - this.checkedMs > CHECK_MS) await this.ensureStreams();
  }

  private async ensureNow(): Promise<void> {
    await this.ensureStreams();
    await this.queue.refreshNow();
    await this.createLanes();
  }

  private async ensureStreams(): Promise<void> {
    await ensureStreams(this.context);
    this.checkedMs = Date.now();
  }

  /** Every known type has its lanes, except while a retirement may delete them. */
  private createLanes(): Promise<void> {
    const { types } = this;
    return this.createMissing(types.known().filter((type) => !types.retirement(type)));
  }

  private async createMissing(types: readonly string[]): Promise<void> {
    const { context, queue } = this;
    const missing = types.filter((type) =>
      PRIORITIES.some((priority) => queue.lanes[laneName(type, priority)] === undefined),
    );
    for (const type of missing) await ensureLanes(context.bus, type, context.config.TPS_LEASE_MS);
    if (missing.length > 0) await queue.refreshNow();
  }
}

/** Creates the streams that kanban owns, if they are absent. */
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
