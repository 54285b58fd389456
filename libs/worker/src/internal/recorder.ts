import { type MsgHdrs, nuid } from '@nats-io/transport-node';
import { Batcher, type Bus, encodeHeaders, PublishError, retry } from '@tps/bus';
import { unreadableDeadLetter, deadLetterHeaders, type Outcome, parseLane } from '@tps/contracts';
import type { Logger, TraceHeaders } from '@tps/telemetry';
import { exceedsBytes, maxBytesOf } from './bytes';
import { acknowledge, nak, releaseDelayMs } from './acknowledgement';
import type { InFlightSignal } from './in-flight-signal';
import type { Delivery } from './lane-reader';

/** An outcome on its way into the log, with the context of its span. */
export interface PendingOutcome {
  outcome: Outcome;
  /** The outcome's result as JSON, if that is known already; then the outcome itself has no result. */
  resultJson?: string;
  /** The outcome as JSON, made once for the log and for the reply. */
  json?: string;
  trace: TraceHeaders;
  reply_to?: string;
}

/**
 * Gives an outcome the trace and the reply subject of its signal. To be called after the end of the span: a failure is
 * traced from there on, even if its trace was not sampled.
 */
export function pendingOutcome(
  { span, trace, signal }: InFlightSignal,
  outcome: Outcome,
  resultJson?: string,
): PendingOutcome {
  const pending: PendingOutcome = { outcome, trace: span?.headers ?? trace ?? NO_TRACE };
  if (resultJson !== undefined) pending.resultJson = resultJson;
  if (signal.reply_to) pending.reply_to = signal.reply_to;
  return pending;
}

const NO_TRACE = { traceparent: '' };
const BACKOFF = { firstMs: 100, capMs: 5_000 };
/** A stream takes 64 KiB of headers, so long tracestates of callers must not keep a whole batch out of it. */
const MAX_STATES_LENGTH = 32 * 1024;
const DEFAULT_MAX_PAYLOAD = 1024 * 1024;
const HEADER_BYTES = 4 * 1024;
const BATCH_BYTES = 512 * 1024;

/**
 * Writes outcomes into the stream OUTCOMES and answers waiting callers. An append that fails is repeated for as long as
 * the process lives; the work itself is never run again for that. An append whose acknowledgement was lost is sent again
 * under the same message id.
 */
export class Recorder {
  private readonly finals: Batcher<PendingOutcome, void>;
  private readonly replies = new Map<string, PendingOutcome[]>();
  private pending = 0;
  /** Unique for each process, or the stream would take new outcomes for repeats of old ones. */
  private readonly life = nuid.next();
  private batchNo = 0;
  private closed = false;
  /** The largest message that the broker takes, and the size of a batch. */
  private readonly maxBytes: number;
  private readonly batchBytes: number;

  constructor(
    private readonly bus: Bus,
    private readonly log: Logger,
  ) {
    this.maxBytes = (bus.nc.info?.max_payload ?? DEFAULT_MAX_PAYLOAD) - HEADER_BYTES;
    this.batchBytes = Math.min(BATCH_BYTES, this.maxBytes / 2);
    this.finals = new Batcher({
      send: (batch) => this.appendBatch(batch),
      weigh,
      maxBytes: this.batchBytes,
    });
  }

  /** Outcomes that are not in the log yet. */
  get backlog(): number {
    return this.pending;
  }

  /** Records a failed attempt or a release: one message each, found by the signal's id. */
  async recordAttempt({ outcome, trace }: PendingOutcome): Promise<void> {
    const { signal_id, run, delivery, attempt, status } = outcome;
    const head = headers(`${signal_id}:${run}:${delivery}:${attempt}:${status}`, [trace]);
    const subject = this.bus.names.subjects.outcomeAttempt(signal_id);
    await this.append(subject, `[${JSON.stringify(outcome)}]`, head);
  }

  /**
   * Keeps a `DeadLetter`, with the payload. It must be in the stream before the work message is removed.
   * @returns false when the stream is full
   */
  private async keepDeadLetter(
    { signal, msg }: InFlightSignal,
    { outcome, trace }: PendingOutcome,
  ): Promise<boolean> {
    // The signal as it was delivered, because the handler may have changed its payload, even to something that is no JSON.
    const letter = `{"v":${outcome.v},"signal":${msg.string()},"outcome":${JSON.stringify(outcome)}}`;
    const head = encodeHeaders([...deadLetterHeaders(outcome), ...Object.entries(trace)]);
    try {
      await this.append(this.bus.names.subjects.dead(signal.signal_type), letter, head);
      return true;
    } catch (error) {
      if (error instanceof PublishError && error.full) return false;
      throw error;
    }
  }

  /**
   * Makes an outcome durable, and only then answers the broker for the message: dead letter, outcome, acknowledgement,
   * reply, in this order.
   */
  async settle(inFlight: InFlightSignal, concluded: PendingOutcome): Promise<void> {
    if (!concluded.outcome.final) {
      await this.recordAttempt(concluded);
      return nak(inFlight, inFlight.retryMs ?? 0);
    }
    const recorded = exceedsBytes(jsonOf(concluded), this.maxBytes) ? this.tooLarge(concluded) : concluded;
    const { status } = recorded.outcome;
    if ((status === 'failed' || status === 'expired') && !(await this.keepDeadLetter(inFlight, recorded))) {
      return this.postpone(inFlight, recorded);
    }
    this.pending += 1;
    try {
      await this.finals.push(recorded);
    } finally {
      this.pending -= 1;
    }
    // Queued first, so that all replies of this turn leave in one write, behind its acknowledgements.
    this.reply(recorded);
    acknowledge(inFlight);
  }

  /** Turns an outcome that is too large into a failure, because a retry would not make it smaller. */
  private tooLarge({ outcome: { result: _, ...outcome }, ...rest }: PendingOutcome): PendingOutcome {
    const message = `its outcome is larger than the ${this.maxBytes} bytes that the broker takes`;
    const failure = { status: 'failed', success: false, error_class: 'defect', message } as const;
    const fingerprint = `too-large:${outcome.signal_type}`;
    const { json: _json, resultJson: _result, ...kept } = rest;
    return { ...kept, outcome: { ...outcome, ...failure, fingerprint } };
  }

  /** DEAD is full: the signal stays in the queue until there is room, and a record keeps the cause of its end. */
  private async postpone(inFlight: InFlightSignal, { outcome, trace }: PendingOutcome): Promise<void> {
    this.log.error('no room for dead letters: the signal stays in the queue', {
      signal_id: outcome.signal_id,
    });
    const { error_class: _class, fingerprint: _print, ...expired } = outcome;
    const kept: Outcome =
      outcome.status === 'expired'
        ? { ...expired, status: 'returned', final: false }
        : { ...outcome, status: 'retrying', final: false };
    await this.recordAttempt({ outcome: kept, trace });
    nak(inFlight, releaseDelayMs(inFlight));
  }

  /** Keeps a message that is no signal as a dead letter, byte for byte. */
  async keepUnreadable({ msg, lane, info }: Delivery): Promise<void> {
    const { letter, headers } = unreadableDeadLetter(msg.subject, info.streamSeq, msg.data);
    const subject = this.bus.names.subjects.dead(parseLane(lane).type);
    await this.append(subject, JSON.stringify(letter), encodeHeaders(headers));
  }

  /** Answers a waiting caller, together with other callers of this turn at the same gateway. */
  reply(recorded: PendingOutcome): void {
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
    const replies = [...this.replies];
    this.replies.clear();
    for (const [subject, gathered] of replies) {
      let batch: PendingOutcome[] = [];
      let bytes = 0;
      for (const recorded of gathered) {
        bytes += weigh(recorded);
        if (batch.length > 0 && bytes > this.batchBytes) {
          this.sendReply(subject, batch);
          batch = [];
          bytes = weigh(recorded);
        }
        batch.push(recorded);
      }
      this.sendReply(subject, batch);
    }
  }

  /** Sends a reply at most once. A gateway that misses it asks the records. */
  private sendReply(subject: string, batch: readonly PendingOutcome[]): void {
    const traces = batch.map(({ trace }) => trace);
    try {
      this.bus.nc.publish(subject, `[${batch.map(jsonOf).join()}]`, { headers: headers(undefined, traces) });
    } catch (error) {
      // An error in a microtask would end the process.
      this.log.warn('reply not sent', { subject, error });
    }
  }

  private async appendBatch(batch: PendingOutcome[]): Promise<void[]> {
    const id = `${this.life}:${(this.batchNo += 1)}`;
    const traces = batch.map(({ trace }) => trace);
    const body = `[${batch.map(jsonOf).join()}]`;
    await this.append(this.bus.names.subjects.outcomeBatch, body, headers(id, traces));
    return [];
  }

  private async append(subject: string, data: string, head: MsgHdrs): Promise<void> {
    const publish = async (): Promise<void> => {
      if (this.closed) throw new RecorderClosedError(subject);
      await this.bus.publisher.publish(subject, data, { headers: head });
    };
    this.pending += 1;
    await retry(publish, {
      backoff: BACKOFF,
      // A full stream is no reason to wait here: such outcomes would be lost with the process, while the queue is safe.
      retryIf: (error) =>
        !(error instanceof RecorderClosedError || (error instanceof PublishError && error.full)),
      onRetry: (error) => this.log.warn('outcome not recorded yet', { subject, error }),
      pause: (ms) => this.bus.sleepUntilReconnect(ms),
    }).finally(() => (this.pending -= 1));
  }
}

function jsonOf(recorded: PendingOutcome): string {
  return (recorded.json ??= encode(recorded));
}

function weigh(recorded: PendingOutcome): number {
  return maxBytesOf(jsonOf(recorded));
}

function encode({ outcome, resultJson }: PendingOutcome): string {
  if (resultJson === undefined) return JSON.stringify(outcome);
  return `${JSON.stringify(outcome).slice(0, -1)},"result":${resultJson}}`;
}

/** The process ended before the outcome was in the log; the broker will deliver the signal again. */
class RecorderClosedError extends Error {
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
