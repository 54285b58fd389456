import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Msg, type MsgHdrs, nuid } from '@nats-io/transport-node';
import { Batcher, type Bus, encodeHeaders, PublishError } from '@tps/bus';
import {
  type DeadLetter,
  type InvalidLetter,
  LETTER_HEADERS,
  letterHeaders,
  type Outcome,
  type Signal,
  WIRE_VERSION,
} from '@tps/contracts';
import type { Logger, TraceHeaders } from '@tps/service';
import { acknowledge, giveBack, type Held, laterMs } from './held';
import type { Conclusion } from './outcome';

/** An outcome on its way into the log, with the context of its span. */
export interface Recorded {
  outcome: Outcome;
  /** The outcome's result as JSON, where it is known already; then the outcome itself has none. */
  resultJson?: string;
  /** The outcome as JSON, made once for the log and for the reply. */
  json?: string;
  trace: TraceHeaders;
  reply_to?: string;
}

const RETRY_FIRST_MS = 100;
const RETRY_CAP_MS = 5_000;
/** A stream takes 64 KiB of headers: callers' long tracestates must not keep a whole batch out of it. */
const MAX_STATES_LENGTH = 32 * 1024;

/**
 * Writes outcomes into the stream OUTCOMES and tells waiting callers. What cannot be appended is kept and tried again
 * for as long as the process lives: the work itself is never run again for that. An append whose acknowledgement was
 * lost is sent again under the same message id.
 */
export class Recorder {
  private readonly finals: Batcher<Recorded, void>;
  private readonly replies = new Map<string, Recorded[]>();
  private pending = 0;
  /** Never the same in two lives of a process: the stream would take new outcomes for repeats of old ones. */
  private readonly life = nuid.next();
  private batchNo = 0;
  private closed = false;

  constructor(
    private readonly bus: Bus,
    private readonly log: Logger,
  ) {
    this.finals = new Batcher({
      send: (batch) => this.appendBatch(batch),
      weigh: (recorded) => jsonOf(recorded).length,
    });
  }

  /** Outcomes that the log does not have yet. */
  get backlog(): number {
    return this.pending;
  }

  /** A failed attempt or a hand-back: one message each, found by the signal's id. */
  async attempt({ outcome, trace }: Recorded): Promise<void> {
    this.pending += 1;
    const id = `${outcome.signal_id}:${outcome.run}:${outcome.delivery}:${outcome.attempt}:${outcome.status}`;
    try {
      await this.append(
        this.bus.names.subjects.outcomeAttempt(outcome.signal_id),
        `[${JSON.stringify(outcome)}]`,
        headers(id, [trace]),
      );
    } finally {
      this.pending -= 1;
    }
  }

  /**
   * Keeps a dead letter, payload and all. Must be in the stream before the work message is removed.
   * @returns false when the stream is full
   */
  private async dead(signal: Signal, { outcome, trace }: Recorded): Promise<boolean> {
    this.pending += 1;
    try {
      const body: DeadLetter = { v: outcome.v, signal, outcome };
      await this.append(
        this.bus.names.subjects.dead(signal.signal_type),
        JSON.stringify(body),
        encodeHeaders([...letterHeaders(outcome), ...Object.entries(trace)]),
      );
      return true;
    } catch (error) {
      if (error instanceof PublishError && error.full) return false;
      throw error;
    } finally {
      this.pending -= 1;
    }
  }

  /**
   * Makes an attempt's conclusion durable, and only then lets go of the message: dead letter, outcome,
   * acknowledgement, reply, in this order.
   */
  async settle(held: Held, { final, status, retryMs }: Conclusion, recorded: Recorded): Promise<void> {
    const { signal, msg } = held;
    if (!final) {
      await this.attempt(recorded);
      return giveBack(msg, retryMs);
    }
    if ((status === 'failed' || status === 'expired') && !(await this.dead(signal, recorded))) {
      return this.postpone(held, recorded);
    }
    this.pending += 1;
    try {
      await this.finals.push(recorded);
    } finally {
      this.pending -= 1;
    }
    // Replies leave at the end of this turn, behind all of its acknowledgements; said first, they leave in one write.
    this.reply(recorded);
    acknowledge(msg);
  }

  /** DEAD is full: the signal stays in the queue, and what ended it in a record, until there is room. */
  private async postpone(held: Held, { outcome, trace }: Recorded): Promise<void> {
    this.log.error('no room for dead letters: the signal stays in the queue', {
      signal_id: outcome.signal_id,
    });
    const { error_class: _class, fingerprint: _print, ...expired } = outcome;
    const kept: Outcome =
      outcome.status === 'expired'
        ? { ...expired, status: 'returned', final: false }
        : { ...outcome, status: 'retrying', final: false };
    await this.attempt({ outcome: kept, trace });
    giveBack(held.msg, laterMs(held));
  }

  /** Keeps a message that is no signal, as it came. */
  async invalid(type: string, msg: Msg): Promise<void> {
    const body: InvalidLetter = {
      v: WIRE_VERSION,
      invalid: true,
      subject: msg.subject,
      data: Buffer.from(msg.data).toString('base64'),
    };
    await this.append(
      this.bus.names.subjects.dead(type),
      JSON.stringify(body),
      encodeHeaders([
        ['Nats-Msg-Id', `dead:${msg.reply}`],
        [LETTER_HEADERS.id, msg.subject.split('.').at(-1) ?? ''],
        [LETTER_HEADERS.status, 'invalid'],
      ]),
    );
  }

  /** Answers the caller who waits, together with others of this turn that wait at the same gateway. */
  reply(recorded: Recorded): void {
    if (!recorded.reply_to) return;
    const gathered = this.replies.get(recorded.reply_to);
    if (gathered) return void gathered.push(recorded);
    this.replies.set(recorded.reply_to, [recorded]);
    if (this.replies.size === 1) queueMicrotask(() => this.sendReplies());
  }

  close(): void {
    this.closed = true;
  }

  private sendReplies(): void {
    for (const [subject, batch] of this.replies) {
      const body = `[${batch.map(jsonOf).join()}]`;
      // A reply is sent at most once: who misses it asks the records.
      this.bus.nc.publish(subject, body, {
        headers: headers(
          undefined,
          batch.map(({ trace }) => trace),
        ),
      });
    }
    this.replies.clear();
  }

  private async appendBatch(batch: Recorded[]): Promise<void[]> {
    const id = `${this.life}:${(this.batchNo += 1)}`;
    const traces = batch.map(({ trace }) => trace);
    const body = `[${batch.map(jsonOf).join()}]`;
    await this.append(this.bus.names.subjects.outcomeBatch, body, headers(id, traces));
    return [];
  }

  private async append(subject: string, data: string, head: MsgHdrs): Promise<void> {
    for (let wait = RETRY_FIRST_MS; !this.closed; wait = Math.min(wait * 2, RETRY_CAP_MS)) {
      try {
        await this.bus.publisher.publish(subject, data, { headers: head });
        return;
      } catch (error) {
        // Waiting for room is for the queue: what is kept here would end with the process.
        if (error instanceof PublishError && error.full) throw error;
        this.log.warn('outcome not recorded yet', { subject, error });
        await sleep(wait / 2 + randomInt(wait / 2));
      }
    }
    throw new RecorderClosedError(subject);
  }
}

function jsonOf(recorded: Recorded): string {
  return (recorded.json ??= encode(recorded));
}

function encode({ outcome, resultJson }: Recorded): string {
  if (resultJson === undefined) return JSON.stringify(outcome);
  return `${JSON.stringify(outcome).slice(0, -1)},"result":${resultJson}}`;
}

/** The process ended before the log had it; the broker will deliver the signal again. */
export class RecorderClosedError extends Error {
  override readonly name = 'RecorderClosedError';
}

function headers(messageId: string | undefined, traces: readonly TraceHeaders[]): MsgHdrs {
  const entries: [string, string][] = messageId ? [['Nats-Msg-Id', messageId]] : [];
  for (const { traceparent } of traces) entries.push(['traceparent', traceparent]);
  const states = traces.reduce((bytes, { tracestate = '' }) => bytes + tracestate.length, 0);
  if (states > 0 && states <= MAX_STATES_LENGTH) {
    for (const { tracestate } of traces) entries.push(['tracestate', tracestate ?? '']);
  }
  return encodeHeaders(entries);
}
