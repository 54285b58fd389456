import { setTimeout as sleep } from 'node:timers/promises';
import { JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { encodeHeaders, headerValues, latestAttempt, managerOf, type RecordsClient, retry } from '@tps/bus';
import {
  type DeadLetter,
  deadLetterHeaders,
  decodeSignal,
  type FoundSignal,
  HEARTBEAT_MS,
  laneName,
  lateEnd,
  LOOKUP_MAX_IDS,
  type Outcome,
  outcomeBase,
  type ReplyOf,
  runKey,
  type Signal,
  SUSPECT_HEADER,
  WIRE_VERSION,
} from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { traceIdIn } from '@tps/telemetry';
import type { QueuedSignal } from './deadline-index';
import type { InFlightSignals } from './in-flight-signals';
import type { QueueStats } from './queue-stats';
import type { UnreadableMessages } from './unreadable-messages';

const BACKOFF = { firstMs: 500, capMs: 500 };

interface RemovableSignal {
  signal: Signal;
  seq: number;
  storedAt: string;
  traceparent: string | undefined;
  suspect: boolean;
}

export interface QueueRemovalDeps {
  inFlight: InFlightSignals;
  unreadable: UnreadableMessages;
  queue: Pick<QueueStats, 'wasDelivered'>;
  records: RecordsClient;
}

/** Finds accepted, unfinished signals, and removes those that have not started. */
export class QueueRemoval {
  /** Only from then on every living worker has sent a heartbeat, so that a missing reply is noticed. */
  private readonly fleetKnownMs = Date.now() + 1.5 * HEARTBEAT_MS;

  constructor(
    private readonly context: ServiceContext,
    private readonly deps: QueueRemovalDeps,
  ) {}

  async find(id: string): Promise<ReplyOf<'find'>> {
    const queued = await this.get(id);
    if (!queued) return { found: null };
    const worker_id = await this.deps.inFlight.workerOf(id);
    const trace_id = traceIdIn(queued.traceparent);
    const found: FoundSignal = {
      signal: queued.signal,
      stream_seq: queued.seq,
      accepted_at: queued.storedAt,
      running: worker_id !== undefined,
      ...(worker_id === undefined ? {} : { worker_id }),
      ...(trace_id ? { trace_id } : {}),
    };
    return { found };
  }

  /** @throws RecordsUnavailableError */
  async cancel(id: string, by?: string): Promise<ReplyOf<'cancel'>> {
    const queued = await this.get(id);
    if (!queued || (await this.hasEnded(queued))) return { cancelled: false, reason: 'not_found' };
    const message = by ? `cancelled by ${by}` : 'cancelled';
    const { attempt = 0 } = (await latestAttempt(this.context.bus, queued.signal)) ?? {};
    const outcome = this.outcomeOf(queued, { status: 'cancelled', message, attempt });
    const removed = await this.remove(queued, outcome);
    return removed === 'removed' ? { cancelled: true, outcome } : { cancelled: false, reason: removed };
  }

  /**
   * Removes a signal whose time is up, or a message that is no signal.
   *
   * @returns false if it is still in the queue
   * @throws RecordsUnavailableError
   */
  async expire(seq: number): Promise<boolean> {
    const stored = await this.messageAt(seq);
    if (!stored) return true;
    const queued = removableSignal(stored);
    if (!queued) return this.deps.unreadable.moveToDeadLetters(stored);
    if (await this.hasEnded(queued)) {
      await this.tryDelete(seq);
      return true;
    }
    const { signal } = queued;
    const last = await latestAttempt(this.context.bus, signal);
    const attempt = last?.attempt ?? ((await this.hasVanished(queued)) ? 1 : 0);
    const end = lateEnd(signal.signal_type, attempt, last);
    const outcome = this.outcomeOf(queued, { ...end, attempt });
    const removed = await this.remove(queued, outcome, () => this.keepDeadLetter(queued, outcome));
    return removed === 'removed' || removed === 'not_found';
  }

  /**
   * Removes signals that have a final outcome. A process that ended between recording a removal and deleting the message
   * has left them.
   *
   * @throws RecordsUnavailableError
   */
  async removeFinished(queued: readonly QueuedSignal[]): Promise<void> {
    for (let i = 0; i < queued.length; i += LOOKUP_MAX_IDS) {
      const some = queued.slice(i, i + LOOKUP_MAX_IDS);
      const finished = await this.deps.records.finishedRuns(some);
      for (const one of some) if (finished.has(runKey(one))) await this.tryDelete(one.seq);
    }
  }

  /** Tells whether the records have a final outcome of a signal that may have run before. */
  private async hasEnded({ signal, suspect }: RemovableSignal): Promise<boolean> {
    return suspect && (await this.deps.records.finishedRuns([signal])).has(runKey(signal));
  }

  /** Whether a worker took a signal without a record and has died. Nobody but the next worker knows how many there were. */
  private async hasVanished({ signal, seq }: RemovableSignal): Promise<boolean> {
    const { inFlight, queue } = this.deps;
    if (!queue.wasDelivered(laneName(signal.signal_type, signal.priority), seq)) return false;
    return !(await inFlight.isHeld(signal.id));
  }

  /** @returns false if DEAD did not take the dead letter; the signal then stays in the queue */
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
   * Removes a signal in four steps: block it at the workers, so that none starts it; keep its dead letter, if it needs
   * one; record its outcome; delete the message by its sequence (purging the subject would leave the rest of the lane
   * without deliveries on older brokers). If this process ends in between, `removeFinished` deletes the message.
   */
  private async remove(
    { signal, seq, traceparent }: RemovableSignal,
    outcome: Outcome,
    keepDeadLetter?: () => Promise<boolean>,
  ): Promise<'removed' | 'not_found' | 'started' | 'unavailable'> {
    const { inFlight } = this.deps;
    const { nc, names, publisher } = this.context.bus;
    await sleep(Math.max(0, this.fleetKnownMs - Date.now()));
    const answer = await inFlight.block(signal);
    // It may have ended before the workers were asked, and then it must not leave a dead letter.
    if (answer === 'blocked' && !(await this.messageAt(seq))) return 'not_found';
    if (answer !== 'blocked' || (keepDeadLetter && !(await keepDeadLetter()))) {
      inFlight.unblock(signal);
      return answer === 'started' ? 'started' : 'unavailable';
    }
    const headers = encodeHeaders([
      ['Nats-Msg-Id', `withdrawn:${runKey(signal)}`],
      ['traceparent', traceparent ?? ''],
    ]);
    const data = JSON.stringify([outcome]);
    await this.insist(signal, () => publisher.publish(names.subjects.outcomeBatch, data, { headers }));
    const deleted = await this.insist(signal, () => this.deleteSame(signal, seq));
    if (deleted === 'was_gone') return 'not_found';
    if (signal.reply_to) nc.publish(signal.reply_to, data);
    return 'removed';
  }

  /** If the broker has lost the queue since the last try, the sequence may belong to another signal. */
  private async deleteSame({ id }: Signal, seq: number): Promise<'deleted' | 'was_gone'> {
    const found = await this.messageAt(seq);
    return found?.subject.endsWith(`.${id}`) ? this.tryDelete(seq) : 'was_gone';
  }

  /**
   * @returns `was_gone` if somebody else has deleted it
   * @throws if the message may still be there
   */
  private async tryDelete(seq: number): Promise<'deleted' | 'was_gone'> {
    const jsm = await managerOf(this.context.bus);
    const { kanban } = this.context.bus.names.streams;
    try {
      await jsm.streams.deleteMessage(kanban, seq, false);
      return 'deleted';
    } catch (error) {
      if (await this.messageAt(seq)) throw error;
      // Only a refusal by the broker proves that it was gone. Without an answer, this request deleted it.
      return error instanceof JetStreamApiError ? 'was_gone' : 'deleted';
    }
  }

  /** Repeats a step until it succeeds, and blocks the signal again each time, because workers forget a block. */
  private insist<T>(signal: Signal, step: () => Promise<T>): Promise<T> {
    const { bus, log } = this.context;
    const blockedStep = (): Promise<T> => {
      this.deps.inFlight.renewBlock(signal);
      return step();
    };
    return retry(blockedStep, {
      backoff: BACKOFF,
      retryIf: () => !bus.nc.isClosed(),
      onRetry: (error) => log.warn('removal not done yet', { signal_id: signal.id, error }),
    });
  }

  private async get(id: string): Promise<RemovableSignal | null> {
    const jsm = await managerOf(this.context.bus);
    const { streams, subjects } = this.context.bus.names;
    const message = await jsm.streams.getMessage(streams.kanban, {
      last_by_subj: subjects.work('*', '*', id),
    });
    return message && removableSignal(message);
  }

  private async messageAt(seq: number): Promise<StoredMsg | null> {
    const jsm = await managerOf(this.context.bus);
    return jsm.streams.getMessage(this.context.bus.names.streams.kanban, { seq });
  }

  private outcomeOf(
    { signal, storedAt, traceparent }: RemovableSignal,
    end: Pick<Outcome, 'status' | 'message' | 'attempt' | 'error_class' | 'fingerprint'>,
  ): Outcome {
    const now = new Date().toISOString();
    return {
      ...outcomeBase(signal, this.context.instance, storedAt),
      ...end,
      final: true,
      success: false,
      started_at: now,
      finished_at: now,
      wait_ms: Math.max(0, Date.parse(now) - Date.parse(storedAt)),
      process_ms: 0,
      trace_id: traceIdIn(traceparent) ?? '',
    };
  }
}

function removableSignal(message: StoredMsg): RemovableSignal | null {
  const signal = decodeSignal(message);
  if (!signal) return null;
  const traceparent = headerValues(message.header, 'traceparent')[0];
  const storedAt = message.time.toISOString();
  const suspect = headerValues(message.header, SUSPECT_HEADER).length > 0;
  return { signal, seq: message.seq, storedAt, traceparent, suspect };
}
