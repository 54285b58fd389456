import { type Msg, NoRespondersError } from '@nats-io/transport-node';
import { encodeMessage, parseReply, type ReplyOf, type RequestOf, type Signal } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';

const REPLY_LIMIT_MS = 300;

type Run = Pick<Signal, 'id' | 'run'>;

/** Asks all workers which signals they have started, and blocks a signal before it is removed from the queue. */
export class InFlightSignals {
  constructor(
    private readonly context: ServiceContext,
    private readonly fleet: FleetView,
  ) {}

  /** The started signals, with their workers. The signals of a worker that does not answer count as waiting. */
  async started(): Promise<Map<string, string>> {
    const { replies } = await this.askWorkers('workerInFlight', {});
    return new Map(replies.flatMap(({ worker_id, started = [] }) => started.map((id) => [id, worker_id])));
  }

  /** The worker that has started a signal, if one says so. */
  async workerOf(id: string): Promise<string | undefined> {
    const { replies } = await this.askWorkers('workerInFlight', { id });
    return replies.find(({ state }) => state === 'started')?.worker_id;
  }

  /** Whether a worker has this signal, started or not. */
  async isHeld(id: string): Promise<boolean> {
    const { replies } = await this.askWorkers('workerInFlight', { id });
    return replies.some(({ state }) => state !== 'none');
  }

  /** Asks every worker not to start a run. @returns `unknown` if not every worker has answered */
  async block({ id, run }: Run): Promise<'blocked' | 'started' | 'unknown'> {
    const { replies, isComplete } = await this.askWorkers('workerBlock', { id, run });
    if (replies.some(({ state }) => state === 'started')) return 'started';
    return isComplete ? 'blocked' : 'unknown';
  }

  /** Repeats a block, which workers forget after a while. */
  renewBlock(run: Run): void {
    this.send(run);
  }

  /** Lets workers start the run again. */
  unblock(run: Run): void {
    this.send({ ...run, undo: true });
  }

  private send({ id, run, undo }: RequestOf<'workerBlock'>): void {
    const { nc, names } = this.context.bus;
    nc.publish(names.subjects.workerBlock, encodeMessage({ id, run, ...(undo ? { undo } : {}) }));
  }

  /** `isComplete`: every worker whose heartbeat was seen by then has answered. It sends one before its first pull. */
  private async askWorkers(
    name: 'workerInFlight' | 'workerBlock',
    request: RequestOf<'workerInFlight'>,
  ): Promise<{ replies: ReplyOf<'workerInFlight'>[]; isComplete: boolean }> {
    const { nc, names } = this.context.bus;
    const workers = this.fleet.of('worker').length;
    const replies: ReplyOf<'workerInFlight'>[] = [];
    if (workers === 0) return { replies, isComplete: true };
    const messages = await nc.requestMany(names.subjects[name], encodeMessage(request), {
      strategy: 'count',
      maxMessages: workers,
      maxWait: REPLY_LIMIT_MS,
    });
    try {
      for await (const msg of messages) if (msg.data.length > 0) replies.push(...this.read(msg));
    } catch (error) {
      // Nothing listens: the workers are gone that sent heartbeats a moment ago, so their signals are unknown.
      if (!(error instanceof NoRespondersError)) throw error;
    }
    const answered = new Set(replies.map(({ worker_id }) => worker_id));
    const isComplete = this.fleet.of('worker').every(({ instance }) => answered.has(instance));
    return { replies, isComplete };
  }

  /** An unreadable reply counts as none. */
  private read(reply: Msg): ReplyOf<'workerInFlight'>[] {
    try {
      return [parseReply('workerInFlight', reply)];
    } catch (error) {
      this.context.log.warn('unreadable reply of a worker', { error });
      return [];
    }
  }
}
