import { setTimeout as sleep } from 'node:timers/promises';
import { JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { type Msg, NoRespondersError } from '@nats-io/transport-node';
import { encodeHeaders, headerValues, managerOf } from '@tps/bus';
import {
  type DeadLetter,
  encodeMessage,
  type FoundSignal,
  HEARTBEAT_MS,
  expiredMessage,
  deadLetterHeaders,
  LOOKUP_MAX_IDS,
  type Outcome,
  parseReply,
  type ReplyOf,
  type RequestOf,
  type Signal,
  SUSPECT_HEADER,
  WIRE_VERSION,
} from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { traceIdIn } from '@tps/telemetry';
import type { QueuedSignal } from './deadline-index';
import { finishedRuns, lastAttempt, runKey } from '../records';
import { signalIn, type UnreadableMessages } from './unreadable-messages';

const ANSWER_LIMIT_MS = 300;
const RETRY_MS = 500;

interface RemovableSignal {
  signal: Signal;
  seq: number;
  storedAt: string;
  traceparent: string | undefined;
  suspect: boolean;
}

/** Finds signals that are accepted and unfinished, and takes out those that have not started. */
export class QueueRemoval {
  /** Until every worker has had the time to be heard, nobody's silence means anything. */
  private readonly fleetKnownMs = Date.now() + 1.5 * HEARTBEAT_MS;

  constructor(
    private readonly context: ServiceContext,
    private readonly fleet: FleetView,
    private readonly unreadable: UnreadableMessages,
  ) {}

  async find(id: string): Promise<ReplyOf<'find'>> {
    const waiting = await this.get(id);
    if (!waiting) return { found: null };
    const { workerInFlight } = this.context.bus.names.subjects;
    const { answers } = await this.askWorkers(workerInFlight, { id });
    const holder = answers.find(({ state }) => state === 'started');
    const trace_id = traceIdIn(waiting.traceparent);
    const found: FoundSignal = {
      signal: waiting.signal,
      stream_seq: waiting.seq,
      accepted_at: waiting.storedAt,
      running: holder !== undefined,
      ...(holder ? { worker_id: holder.worker_id } : {}),
      ...(trace_id ? { trace_id } : {}),
    };
    return { found };
  }

  /** What workers have started, and who. Silence of a worker is no answer: what it has counts as waiting. */
  async started(): Promise<Map<string, string>> {
    const { answers } = await this.askWorkers(this.context.bus.names.subjects.workerInFlight);
    return new Map(answers.flatMap(({ worker_id, started = [] }) => started.map((id) => [id, worker_id])));
  }

  async cancel(id: string, by?: string): Promise<ReplyOf<'cancel'>> {
    const waiting = await this.get(id);
    if (!waiting) return { cancelled: false, reason: 'not_found' };
    const message = by ? `cancelled by ${by}` : 'cancelled';
    const { attempt = 0 } = (await lastAttempt(this.context.bus, waiting.signal)) ?? {};
    const outcome = this.outcomeOf(waiting, { status: 'cancelled', message, attempt });
    const removed = await this.remove(waiting, outcome);
    return removed === 'removed' ? { cancelled: true, outcome } : { cancelled: false, reason: removed };
  }

  /**
   * For a signal whose time is up while nobody takes it, and for a message that is none.
   * @returns false when it is still there
   */
  async expire(seq: number): Promise<boolean> {
    const stored = await this.messageAt(seq);
    if (!stored) return true;
    const waiting = removableSignal(stored);
    if (!waiting) return this.unreadable.moveToDeadLetters(stored);
    if (
      waiting.suspect &&
      (await finishedRuns(this.context.bus, [waiting.signal])).has(runKey(waiting.signal))
    ) {
      return this.tryDelete(seq).then(Boolean);
    }
    const last = await lastAttempt(this.context.bus, waiting.signal);
    const attempt = last?.attempt ?? 0;
    const message = expiredMessage(attempt, last);
    const what = { status: 'expired', message, attempt, error_class: 'capacity' } as const;
    const outcome = this.outcomeOf(waiting, what);
    const removed = await this.remove(waiting, outcome, () => this.keepDeadLetter(waiting, outcome));
    return removed === 'removed' || removed === 'not_found';
  }

  /**
   * Takes out signals that have a final outcome: a process that ended between recording a removal and deleting its
   * message has left them.
   * @throws when the records do not answer
   */
  async removeFinished(queued: readonly QueuedSignal[]): Promise<void> {
    for (let i = 0; i < queued.length; i += LOOKUP_MAX_IDS) {
      const some = queued.slice(i, i + LOOKUP_MAX_IDS);
      const finished = await finishedRuns(this.context.bus, some);
      for (const one of some) if (finished.has(runKey(one))) await this.tryDelete(one.seq);
    }
  }

  /** @returns false when DEAD does not take it: then the signal stays where it is */
  private async keepDeadLetter({ signal, traceparent }: RemovableSignal, outcome: Outcome): Promise<boolean> {
    const { names, publisher } = this.context.bus;
    const letter: DeadLetter = { v: WIRE_VERSION, signal, outcome };
    const headers = encodeHeaders([...deadLetterHeaders(outcome), ['traceparent', traceparent ?? '']]);
    try {
      await publisher.publish(names.subjects.dead(signal.signal_type), JSON.stringify(letter), { headers });
      return true;
    } catch (error) {
      this.context.log.warn('dead letter not kept: the signal stays in the queue', { id: signal.id, error });
      return false;
    }
  }

  /**
   * Workers are told first, so that none starts it meanwhile; then what became of it is recorded; then the message is
   * deleted by its sequence (purging its subject would strand the rest of the lane on older brokers). Should this
   * process end in between, the outcome is there, and `removeFinished` takes the message out.
   */
  private async remove(
    waiting: RemovableSignal,
    outcome: Outcome,
    before?: () => Promise<boolean>,
  ): Promise<'removed' | 'not_found' | 'started' | 'unavailable'> {
    const { bus } = this.context;
    const { signal, seq, traceparent } = waiting;
    await sleep(Math.max(0, this.fleetKnownMs - Date.now()));
    const { id, run } = signal;
    const { answers, complete } = await this.askWorkers(bus.names.subjects.workerBlock, { id, run });
    const started = answers.some(({ state }) => state === 'started');
    // Done before they were asked: there must be no dead letter of it.
    if (!started && complete && !(await this.messageAt(seq))) return 'not_found';
    if (started || !complete || (before && !(await before()))) {
      this.block(signal, true);
      return started ? 'started' : 'unavailable';
    }
    const headers = encodeHeaders([
      ['Nats-Msg-Id', `withdrawn:${id}:${run}`],
      ['traceparent', traceparent ?? ''],
    ]);
    await this.insist(signal, () =>
      bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify([outcome]), { headers }),
    );
    const deleted = await this.insist(signal, () => this.deleteSame(signal, seq));
    if (deleted === 'was_gone') return 'not_found';
    if (signal.reply_to) bus.nc.publish(signal.reply_to, JSON.stringify([outcome]));
    return 'removed';
  }

  /** By the time of another try the broker may have lost the queue: then the sequence is that of another signal. */
  private async deleteSame({ id }: Signal, seq: number): Promise<'deleted' | 'was_gone'> {
    const found = await this.messageAt(seq);
    return found?.subject.endsWith(`.${id}`) ? this.tryDelete(seq) : 'was_gone';
  }

  /**
   * @returns `was_gone` when somebody else has taken it out
   * @throws when it may still be there
   */
  private async tryDelete(seq: number): Promise<'deleted' | 'was_gone'> {
    const jsm = await managerOf(this.context.bus);
    const { kanban } = this.context.bus.names.streams;
    try {
      await jsm.streams.deleteMessage(kanban, seq, false);
      return 'deleted';
    } catch (error) {
      if (await this.messageAt(seq)) throw error;
      // A refusal by the broker is a sure answer; silence is not, and what has gone since went by this.
      return error instanceof JetStreamApiError ? 'was_gone' : 'deleted';
    }
  }

  /** Workers forget a refusal after a while: it is said again as long as the signal is not out. */
  private async insist<T>({ id, run }: Signal, step: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        this.block({ id, run });
        return await step();
      } catch (error) {
        if (this.context.bus.nc.isClosed()) throw error;
        this.context.log.warn('removal not done yet', { signal_id: id, error });
        await sleep(RETRY_MS / 2 + Math.random() * RETRY_MS);
      }
    }
  }

  /** @param undo it stays: those who would refuse it must take it again */
  private block({ id, run }: Pick<Signal, 'id' | 'run'>, undo = false): void {
    const { nc, names } = this.context.bus;
    const request: RequestOf<'workerInFlight'> = undo ? { id, run, undo } : { id, run };
    nc.publish(names.subjects.workerBlock, encodeMessage(request));
  }

  /**
   * `complete`: every worker that was heard by the time of the last answer has answered. A worker is heard before it
   * takes its first signal.
   */
  private async askWorkers(
    subject: string,
    request: RequestOf<'workerInFlight'> = {},
  ): Promise<{ answers: ReplyOf<'workerInFlight'>[]; complete: boolean }> {
    const workers = this.fleet.of('worker').length;
    const answers: ReplyOf<'workerInFlight'>[] = [];
    if (workers === 0) return { answers, complete: true };
    const replies = await this.context.bus.nc.requestMany(subject, encodeMessage(request), {
      strategy: 'count',
      maxMessages: workers,
      maxWait: ANSWER_LIMIT_MS,
    });
    try {
      for await (const reply of replies) {
        if (reply.data.length > 0) answers.push(...this.readInFlight(reply));
      }
    } catch (error) {
      // Nobody listens: the workers that beat a moment ago are away, and nothing is known of what they hold.
      if (!(error instanceof NoRespondersError)) throw error;
    }
    const heard = new Set(answers.map(({ worker_id }) => worker_id));
    const complete = this.fleet.of('worker').every(({ instance }) => heard.has(instance));
    return { answers, complete };
  }

  /** A reply that cannot be read counts as silence: that worker has not said what it holds. */
  private readInFlight(reply: Msg): ReplyOf<'workerInFlight'>[] {
    try {
      return [parseReply('workerInFlight', reply)];
    } catch (error) {
      this.context.log.warn('what a worker holds is not known', { error });
      return [];
    }
  }

  private async get(id: string): Promise<RemovableSignal | null> {
    const jsm = await managerOf(this.context.bus);
    const { streams, prefix } = this.context.bus.names;
    const message = await jsm.streams.getMessage(streams.kanban, {
      last_by_subj: `${prefix}tps.kanban.*.*.${id}`,
    });
    return message && removableSignal(message);
  }

  private async messageAt(seq: number): Promise<StoredMsg | null> {
    const jsm = await managerOf(this.context.bus);
    return jsm.streams.getMessage(this.context.bus.names.streams.kanban, { seq });
  }

  private outcomeOf(
    { signal, storedAt, traceparent }: RemovableSignal,
    what: Pick<Outcome, 'status' | 'message' | 'attempt'> & Partial<Outcome>,
  ): Outcome {
    const now = new Date().toISOString();
    return {
      v: WIRE_VERSION,
      signal_id: signal.id,
      run: signal.run,
      signal_type: signal.signal_type,
      priority: signal.priority,
      final: true,
      success: false,
      worker_id: this.context.instance,
      enqueued_at: storedAt,
      started_at: now,
      finished_at: now,
      wait_ms: Math.max(0, Date.parse(now) - Date.parse(storedAt)),
      process_ms: 0,
      trace_id: traceIdIn(traceparent) ?? '',
      ...(signal.request_hash ? { request_hash: signal.request_hash } : {}),
      ...what,
    };
  }
}

function removableSignal(message: StoredMsg): RemovableSignal | null {
  const signal = signalIn(message);
  if (!signal) return null;
  const traceparent = headerValues(message.header, 'traceparent')[0];
  const storedAt = message.time.toISOString();
  const suspect = headerValues(message.header, SUSPECT_HEADER).length > 0;
  return { signal, seq: message.seq, storedAt, traceparent, suspect };
}
