import { setTimeout as sleep } from 'node:timers/promises';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Msg } from '@nats-io/transport-node';
import { encodeHeaders, headerValues, managerOf, PublishError } from '@tps/bus';
import {
  ALL_FINE,
  decodeSignal,
  encodeSignal,
  type EnqueueRefusal,
  type EnqueueVerdict,
  laneName,
  retirementText,
  type Signal,
  type SpanAttributes,
  SPANS,
  SUSPECT_HEADER,
} from '@tps/contracts';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { linksTo, type SignalSpan, type TraceHeaders } from '@tps/telemetry';
import type { Acceptance } from './acceptance';
import { noRoom, type NoRoom } from './admission';
import type { BackupMessage } from '../backup/backup-message';
import type { KanbanConfig } from '../config';
import type { DeadlineIndex } from './deadline-index';
import type { QueueStats } from './queue-stats';
import type { RoomForecast } from './room-forecast';
import type { Storage } from './storage';

/** An append without an acknowledgement for this long has an unknown outcome. */
const APPEND_LIMIT_MS = 1_500;
const RETRY_AFTER_MS = 1_000;
const SETTLED_CHECK_MS = 5;

export interface QueueWriterDeps {
  queue: QueueStats;
  acceptance: Acceptance;
  types: TypesView;
  deadlines: DeadlineIndex;
  storage: Storage;
  forecast: RoomForecast;
}

/**
 * Appends signals to the queue. It answers only after the stream has acknowledged each of them, which is the moment at
 * which a signal is accepted.
 */
export class QueueWriter {
  private arrivals: Record<string, number> = {};
  private hasUnknownAppend = false;
  /** Appends in flight, by type. */
  private readonly appending = new Map<string, { count: number }>();

  constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly deps: QueueWriterDeps,
  ) {}

  /** Whether the queue takes signals, as far as known. */
  get accepts(): boolean {
    return this.deps.acceptance.problem === null;
  }

  /** Signals that were appended since the last call, by lane. */
  takeArrivals(): Record<string, number> {
    const { arrivals } = this;
    this.arrivals = {};
    return arrivals;
  }

  /** Whether an append had an unknown outcome since the last call: the stream may have a signal that nobody counted. */
  takeUnknownAppend(): boolean {
    const { hasUnknownAppend } = this;
    this.hasUnknownAppend = false;
    return hasUnknownAppend;
  }

  /** Answers a request of the gateway. */
  async handle(signals: Signal[], msg: Msg): Promise<typeof ALL_FINE | EnqueueVerdict[]> {
    const parents = headerValues(msg.headers, 'traceparent');
    const states = headerValues(msg.headers, 'tracestate');
    const suspects = headerValues(msg.headers, SUSPECT_HEADER);
    const verdicts = await Promise.all(
      signals.map((signal, i) => {
        const parent = { traceparent: parents[i] ?? '', tracestate: states[i] ?? '' };
        const span = this.startSpan(signal, parent);
        return this.traced(span, this.enqueue(signal, span, suspects[i] === '1'));
      }),
    );
    return verdicts.every((verdict) => verdict.ok && !verdict.duplicate) ? ALL_FINE : verdicts;
  }

  /**
   * Appends the next run of a signal.
   *
   * @param before trace context of the previous run, to which the span is linked
   * @param parent trace that the run continues. Default: a new one
   */
  requeue(signal: Signal, before?: string, parent?: TraceHeaders): Promise<EnqueueVerdict> {
    const span = this.startSpan(signal, parent);
    span.addLinks(linksTo(before));
    return this.traced(span, this.enqueue(signal, span));
  }

  /** Whether the queue has this run. The broker forgets message ids when it restarts, so they do not tell. */
  async contains({ signal_type, priority, id, run }: Signal): Promise<boolean> {
    const { names } = this.context.bus;
    const jsm = await managerOf(this.context.bus);
    const query = { last_by_subj: names.subjects.work(signal_type, priority, id) };
    // Without an answer the signal is appended, and the worker looks it up.
    const message = await jsm.direct.getMessage(names.streams.kanban, query).catch(() => null);
    return message !== null && decodeSignal(message)?.run === run;
  }

  /** Appends a signal that is accepted already and may be in the queue. Only the limit of the stream refuses it. */
  enqueueFromBackup({ signal, trace }: BackupMessage): Promise<EnqueueVerdict> {
    const span = this.startSpan(signal, trace);
    return this.traced(span, this.append(signal, span, true));
  }

  /** Waits until every append of the type has an answer. @returns false after `limitMs` */
  async settled(type: string, limitMs: number): Promise<boolean> {
    const endMs = Date.now() + limitMs;
    const isSettled = (): boolean => !this.appending.get(type)?.count;
    while (!isSettled() && Date.now() < endMs) await sleep(SETTLED_CHECK_MS);
    return isSettled();
  }

  private async traced(span: SignalSpan, appended: Promise<EnqueueVerdict>): Promise<EnqueueVerdict> {
    const verdict = await appended;
    if (!verdict.ok) span.setStatus({ code: SpanStatusCode.ERROR, message: verdict.reason });
    span.end();
    return verdict;
  }

  private async enqueue(signal: Signal, span: SignalSpan, suspect = false): Promise<EnqueueVerdict> {
    if (suspect && (await this.contains(signal))) return { ok: true, duplicate: true };
    let full = this.full(signal);
    if (full) {
      const isRead = await this.deps.queue.refresh().then(
        () => true,
        () => false,
      );
      // The queue was full at the last reading, and its present state is unknown.
      if (!isRead) return refused('NO_BROKER', 'the queue does not answer', false);
      full = this.full(signal);
    }
    // Do not await anything between this check and the counting: other requests would see the same free place.
    if (full) return this.refuseFull(full);
    return this.append(signal, span, suspect);
  }

  private async append(signal: Signal, span: SignalSpan, suspect = false): Promise<EnqueueVerdict> {
    const { signal_type, priority, id, run } = signal;
    const retirement = this.deps.types.retirement(signal_type);
    if (retirement) {
      const code = retirement.phase === 'checking' ? 'LINE_STOPPED' : 'UNKNOWN_SIGNAL_TYPE';
      return refused(code, retirementText(signal_type, retirement), false);
    }
    const { names, publisher } = this.context.bus;
    const { traceparent, tracestate } = span.headers;
    const entries: [string, string][] = [
      ['Nats-Msg-Id', `${id}:${run}`],
      ['traceparent', traceparent],
    ];
    if (tracestate) entries.push(['tracestate', tracestate]);
    if (suspect) entries.push([SUSPECT_HEADER, '1']);
    const { queue, acceptance } = this.deps;
    const counted = queue.count(signal_type);
    // Do not await anything between the check of the retirement and the publishing.
    const appending = this.appendsOf(signal_type);
    appending.count += 1;
    try {
      const subject = names.subjects.work(signal_type, priority, id);
      const data = encodeSignal(signal);
      const options = { headers: encodeHeaders(entries), timeoutMs: APPEND_LIMIT_MS };
      const ack = await publisher.publish(subject, data, options);
      acceptance.onAppended();
      if (ack.duplicate) {
        queue.uncount(signal_type, counted);
        return { ok: true, duplicate: true };
      }
      const lane = laneName(signal_type, priority);
      this.arrivals[lane] = (this.arrivals[lane] ?? 0) + 1;
      this.deps.deadlines.add(signal, ack.seq, Date.now());
      return { ok: true };
    } catch (error) {
      if (!(error instanceof PublishError)) throw error;
      if (error.accepted === 'unknown') this.hasUnknownAppend = true;
      else queue.uncount(signal_type, counted);
      if (error.full) acceptance.onAppended();
      if (error.full) return this.refuseFull({ reason: 'the queue is at its limit', over: 1 });
      acceptance.onAppendFailed(error.message);
      if (error.isNoStream) this.deps.storage.ensureSoon();
      this.context.log.warn('append refused', { signal_id: id, error });
      return refused('NO_BROKER', error.message, error.accepted);
    } finally {
      appending.count -= 1;
    }
  }

  /** One entry per type stays, because adding and deleting one per signal would cost more than all else here. */
  private appendsOf(type: string): { count: number } {
    let appends = this.appending.get(type);
    if (!appends) this.appending.set(type, (appends = { count: 0 }));
    return appends;
  }

  private refuseFull({ reason, over }: NoRoom): EnqueueRefusal {
    const { forecast, queue } = this.deps;
    const told = { ...forecast.refuse(over, Date.now()), queue_depth: queue.depth };
    return { ...refused('KANBAN_FULL', reason, false), ...told };
  }

  private full({ priority, signal_type }: Signal): NoRoom | null {
    return noRoom(priority, {
      depth: this.deps.queue.depth,
      depthOfType: this.deps.queue.depthOf(signal_type),
      knownTypes: this.deps.types.known().length,
      buffer: this.context.config.TPS_KANBAN_BUFFER,
    });
  }

  private startSpan(signal: Signal, parent?: TraceHeaders): SignalSpan {
    const attributes: SpanAttributes = {
      'messaging.system': 'nats',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': laneName(signal.signal_type, signal.priority),
      'messaging.message.id': signal.id,
      'tps.signal.id': signal.id,
      'tps.signal.type': signal.signal_type,
    };
    const options = { kind: SpanKind.PRODUCER, attributes };
    return this.context.tracer.start(SPANS.kanban, options, parent);
  }
}

function refused(code: EnqueueRefusal['code'], reason: string, accepted: false | 'unknown'): EnqueueRefusal {
  return { ok: false, code, reason, retry_after_ms: RETRY_AFTER_MS, accepted };
}
