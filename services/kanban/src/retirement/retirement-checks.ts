import { setTimeout as sleep } from 'node:timers/promises';
import { managerOf } from '@tps/bus';
import {
  encodeMessage,
  HEARTBEAT_MS,
  parseReply,
  type ReplyOf,
  type RequestOf,
  type RetireRefusal,
} from '@tps/contracts';
import type { FleetView, TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { BackupDrainer } from '../backup/backup-drainer';
import type { QueueWriter } from '../queue/queue-writer';
import type { QueueStats } from '../queue/queue-stats';
import type { RedriveJobs } from '../dead-letters/redrive-jobs';
import { backupObjectionTo, objectionTo, unavailable } from './retirement-objections';

export interface RetirementChecksDeps {
  types: TypesView;
  fleet: FleetView;
  queue: QueueStats;
  writer: QueueWriter;
  redriveJobs: RedriveJobs;
  /** Absent without a backup. */
  drainer: BackupDrainer | undefined;
}

const SEAL_LIMIT_MS = 2_000;
/** Longer than a process takes to answer that it could not seal the type. */
const SEALED_LIMIT_MS = 2 * SEAL_LIMIT_MS + 500;

/** These services remove the data that they keep of a retired type. */
const KEEPERS = ['jidoka', 'andon', 'heijunka'] as const;

/** Gathers the facts that decide whether a type may be retired. */
export class RetirementChecks {
  /** Before this time the heartbeat of a living worker may not have arrived. */
  private readonly fleetKnownMs = Date.now() + 1.5 * HEARTBEAT_MS;

  constructor(
    private readonly context: ServiceContext,
    private readonly deps: RetirementChecksDeps,
  ) {
    context.endpoint('seal', (request) => this.seal(request), { broadcast: true });
  }

  /** Why the type may not be retired now, apart from signals that are accepted at this moment. */
  async objectionTo(type: string): Promise<RetireRefusal | null> {
    const { fleet, queue, redriveJobs } = this.deps;
    await sleep(Math.max(0, this.fleetKnownMs - Date.now()));
    const [queued, redriving] = await Promise.all([
      this.isQueued(type),
      redriveJobs.busyWith(type),
      queue.refresh(),
    ]);
    const { waiting, in_progress } = queue.countsOf(type);
    const workers = fleet.of('worker').filter(({ vitals }) => vitals.types.includes(type));
    return objectionTo({
      type,
      workers: workers.map(({ instance }) => instance),
      // The stream decides, because a lane may not count a message yet, or no longer.
      waiting: queued ? Math.max(waiting, in_progress > 0 ? 0 : 1) : 0,
      in_progress: queued ? in_progress : 0,
      redrives: redriving,
      missing: KEEPERS.filter((service) => !fleet.stations()[service].up),
    });
  }

  /**
   * Makes every living kanban process refuse signals of the type.
   *
   * @returns why the type still may not be retired, or null if it may
   */
  async sealAll(type: string, id: string): Promise<RetireRefusal | null> {
    const { bus } = this.context;
    const living = this.deps.fleet.of('kanban').map(({ instance }) => instance);
    const request: RequestOf<'seal'> = { signal_type: type, id };
    const answers = await bus.nc.requestMany(bus.names.subjects.seal, encodeMessage(request), {
      strategy: 'count',
      maxMessages: Math.max(1, living.length),
      maxWait: SEALED_LIMIT_MS,
    });
    const replies: ReplyOf<'seal'>[] = [];
    for await (const answer of answers) replies.push(parseReply('seal', answer));
    const sealed = new Set(replies.filter((reply) => reply.sealed).map(({ instance }) => instance));
    const open = living.filter((instance) => !sealed.has(instance));
    if (open.length > 0) {
      return unavailable(`${open.join(', ')} may still accept signals of "${type}"; nothing was changed`);
    }
    return backupObjectionTo(
      type,
      replies.flatMap(({ backup }) => backup ?? []),
    );
  }

  /** Whether the stream has a signal of the type, waiting or in progress. */
  async isQueued(type: string): Promise<boolean> {
    const { streams, subjects } = this.context.bus.names;
    const jsm = await managerOf(this.context.bus);
    // Only the leader is asked, because a replica that lags would not know the latest signals.
    const query = { seq: 1, next_by_subj: subjects.work(type, '*', '*') };
    return (await jsm.streams.getMessage(streams.kanban, query)) !== null;
  }

  private async seal({ signal_type: type, id }: RequestOf<'seal'>): Promise<ReplyOf<'seal'>> {
    const { types, writer, drainer } = this.deps;
    await types.records.caughtUp(SEAL_LIMIT_MS);
    const marked = types.retirement(type)?.id === id;
    const sealed = marked && (await writer.settled(type, SEAL_LIMIT_MS));
    const { instance } = this.context;
    return { instance, sealed, ...(drainer ? { backup: await drainer.holdings(type) } : {}) };
  }
}
