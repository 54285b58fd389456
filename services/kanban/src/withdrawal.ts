import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredMsg } from '@nats-io/jetstream';
import { NoRespondersError } from '@nats-io/transport-node';
import { encodeHeaders, headerValues, managerOf } from '@tps/bus';
import {
  type CancelReply,
  type DeadLetter,
  type FindReply,
  type FoundSignal,
  type HoldsReply,
  letterHeaders,
  type Outcome,
  type Signal,
  SUSPECT_HEADER,
  WIRE_VERSION,
} from '@tps/contracts';
import type { FleetView, ServiceContext } from '@tps/service';
import { finishedRuns, runKey } from './records';

const ANSWER_LIMIT_MS = 300;
const RETRY_MS = 500;

interface Waiting {
  signal: Signal;
  seq: number;
  storedAt: string;
  traceparent: string | undefined;
  /** It may have run before. */
  suspect: boolean;
}

/** Finds signals that are accepted and unfinished, and takes out those that have not started. */
export class Withdrawal {
  constructor(
    private readonly context: ServiceContext,
    private readonly fleet: FleetView,
  ) {}

  async find(id: string): Promise<FindReply> {
    const waiting = await this.get(id);
    if (!waiting) return { found: null };
    const { workerHolds } = this.context.bus.names.subjects;
    const { answers } = await this.askWorkers(workerHolds, id);
    const holder = answers.find(({ state }) => state === 'started');
    const found: FoundSignal = {
      signal: waiting.signal,
      stream_seq: waiting.seq,
      accepted_at: waiting.storedAt,
      running: holder !== undefined,
      ...(holder ? { worker_id: holder.worker_id } : {}),
    };
    return { found };
  }

  /** What workers have started, and who. Silence of a worker is no answer: what it has counts as waiting. */
  async started(): Promise<Map<string, string>> {
    const { answers } = await this.askWorkers(this.context.bus.names.subjects.workerHolds);
    return new Map(answers.flatMap(({ worker_id, started = [] }) => started.map((id) => [id, worker_id])));
  }

  async cancel(id: string, by?: string): Promise<CancelReply> {
    const waiting = await this.get(id);
    if (!waiting) return { cancelled: false, reason: 'not_found' };
    const message = by ? `cancelled by ${by}` : 'cancelled';
    const outcome = this.outcomeOf(waiting, { status: 'cancelled', message });
    const removed = await this.remove(waiting, outcome);
    return removed === 'removed' ? { cancelled: true, outcome } : { cancelled: false, reason: removed };
  }

  /** For a signal whose time is up while nobody takes it. */
  async expire(seq: number): Promise<boolean> {
    const waiting = await this.getBySeq(seq);
    if (!waiting) return true;
    const { bus } = this.context;
    if (waiting.suspect && (await finishedRuns(bus, [waiting.signal])).has(runKey(waiting.signal))) {
      const jsm = await managerOf(bus);
      return jsm.streams.deleteMessage(bus.names.streams.kanban, seq, false).catch(() => false);
    }
    const outcome = this.outcomeOf(waiting, {
      status: 'expired',
      message: 'not started within its timeout_ms',
      error_class: 'capacity',
    });
    const removed = await this.remove(waiting, outcome, () => this.keepLetter(waiting, outcome));
    return removed === 'removed' || removed === 'not_found';
  }

  /** @returns false when DEAD does not take it: then the signal stays where it is */
  private async keepLetter({ signal, traceparent }: Waiting, outcome: Outcome): Promise<boolean> {
    const { names, publisher } = this.context.bus;
    const letter: DeadLetter = { v: WIRE_VERSION, signal, outcome };
    const headers = encodeHeaders([...letterHeaders(outcome), ['traceparent', traceparent ?? '']]);
    try {
      await publisher.publish(names.subjects.dead(signal.signal_type), JSON.stringify(letter), { headers });
      return true;
    } catch (error) {
      this.context.log.warn('dead letter not kept: the signal stays in the queue', { id: signal.id, error });
      return false;
    }
  }

  /**
   * Workers are told first, so that none starts it meanwhile; then the message is deleted by its sequence (purging
   * its subject would strand the rest of the lane on older brokers); then the outcome is recorded.
   */
  private async remove(
    waiting: Waiting,
    outcome: Outcome,
    before?: () => Promise<boolean>,
  ): Promise<'removed' | 'not_found' | 'started' | 'unavailable'> {
    const { bus } = this.context;
    const { answers, complete } = await this.askWorkers(bus.names.subjects.workerRefuse, waiting.signal.id);
    const started = answers.some(({ state }) => state === 'started');
    if (started || !complete || (before && !(await before()))) {
      // It stays: those who would refuse it now must take it again.
      const undo = JSON.stringify({ id: waiting.signal.id, undo: true });
      bus.nc.publish(bus.names.subjects.workerRefuse, undo);
      return started ? 'started' : 'unavailable';
    }
    const jsm = await managerOf(bus);
    const deleted = await jsm.streams
      .deleteMessage(bus.names.streams.kanban, waiting.seq, false)
      .catch(() => false);
    if (!deleted) return 'not_found';
    const { signal, traceparent } = waiting;
    const id = `withdrawn:${signal.id}:${signal.run}`;
    await this.append(bus.names.subjects.outcomeBatch, [outcome], id, traceparent);
    if (signal.reply_to) bus.nc.publish(signal.reply_to, JSON.stringify([outcome]));
    return 'removed';
  }

  private async askWorkers(
    subject: string,
    id?: string,
  ): Promise<{ answers: HoldsReply[]; complete: boolean }> {
    const workers = this.fleet.of('worker').length;
    const answers: HoldsReply[] = [];
    if (workers === 0) return { answers, complete: true };
    const replies = await this.context.bus.nc.requestMany(subject, JSON.stringify({ id }), {
      strategy: 'count',
      maxMessages: workers,
      maxWait: ANSWER_LIMIT_MS,
    });
    try {
      for await (const reply of replies) {
        if (reply.data.length > 0) answers.push(reply.json<HoldsReply>());
      }
    } catch (error) {
      // Nobody listens: the workers that beat a moment ago are away, and nothing is known of what they hold.
      if (!(error instanceof NoRespondersError)) throw error;
    }
    return { answers, complete: answers.length >= workers };
  }

  private async get(id: string): Promise<Waiting | null> {
    const jsm = await managerOf(this.context.bus);
    const { streams, prefix } = this.context.bus.names;
    const message = await jsm.streams.getMessage(streams.kanban, {
      last_by_subj: `${prefix}tps.kanban.*.*.${id}`,
    });
    return message && waitingOf(message);
  }

  private async getBySeq(seq: number): Promise<Waiting | null> {
    const jsm = await managerOf(this.context.bus);
    const message = await jsm.streams.getMessage(this.context.bus.names.streams.kanban, { seq });
    return message && waitingOf(message);
  }

  private outcomeOf(
    { signal, storedAt, traceparent }: Waiting,
    what: Pick<Outcome, 'status' | 'message'> & Partial<Outcome>,
  ): Outcome {
    const now = new Date().toISOString();
    return {
      v: WIRE_VERSION,
      signal_id: signal.id,
      run: signal.run,
      signal_type: signal.signal_type,
      priority: signal.priority,
      final: true,
      attempt: 0,
      success: false,
      worker_id: this.context.instance,
      enqueued_at: storedAt,
      started_at: now,
      finished_at: now,
      wait_ms: Math.max(0, Date.parse(now) - Date.parse(storedAt)),
      process_ms: 0,
      trace_id: traceparent?.split('-')[1] ?? '',
      ...(signal.request_hash ? { request_hash: signal.request_hash } : {}),
      ...what,
    };
  }

  /** The message is out of the queue: what became of it must get into the log, however long that takes. */
  private async append(subject: string, body: object, id: string, traceparent = ''): Promise<void> {
    const headers = encodeHeaders([
      ['Nats-Msg-Id', id],
      ['traceparent', traceparent],
    ]);
    for (;;) {
      try {
        await this.context.bus.publisher.publish(subject, JSON.stringify(body), { headers });
        return;
      } catch (error) {
        if (this.context.bus.nc.isClosed()) throw error;
        this.context.log.warn('outcome not recorded yet', { subject, error });
        await sleep(RETRY_MS / 2 + Math.random() * RETRY_MS);
      }
    }
  }
}

function waitingOf(message: StoredMsg): Waiting | null {
  try {
    const traceparent = headerValues(message.header, 'traceparent')[0];
    const storedAt = message.time.toISOString();
    const suspect = headerValues(message.header, SUSPECT_HEADER).length > 0;
    return { signal: message.json<Signal>(), seq: message.seq, storedAt, traceparent, suspect };
  } catch {
    return null;
  }
}
