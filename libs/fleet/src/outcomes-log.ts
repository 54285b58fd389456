import { SpanKind } from '@opentelemetry/api';
import { Type } from '@sinclair/typebox';
import {
  type Bus,
  createStream,
  Follower,
  headerValues,
  type LogFacts,
  type LogMessage,
  type LogStart,
  managerOf,
} from '@tps/bus';
import {
  checkOutcome,
  jsonOf,
  METRICS,
  type Outcome,
  type ServiceName,
  SPANS,
  type SpanAttributes,
} from '@tps/contracts';
import type { Logger, SignalTracer } from '@tps/telemetry';
import { Counter, type Registry } from 'prom-client';
import { recentStart } from './recent-start';
import { TwoGenerationMap } from './two-generation-map';

const HOUR_MS = 3_600_000;
/** A broker that restarts, or a consumer that moves, takes less. */
const LOST_LIMIT_MS = 3_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Variables of every service that may be the first to create the stream OUTCOMES. */
export const outcomesVariables = {
  TPS_OUTCOMES_MAX_AGE: Type.Number({
    default: 24,
    minimum: 1,
    description: 'hours for which outcomes are kept and can be looked up',
  }),
  TPS_OUTCOMES_MAX_BYTES: Type.Integer({
    default: 2_147_483_648,
    minimum: 16_777_216,
    maximum: 1_099_511_627_776,
    description:
      'bytes that the outcomes may take on disk, per copy; beyond that the oldest go before their time',
  }),
};

/** One outcome and its place in the log. */
export interface LoggedOutcome {
  outcome: Outcome;
  /** Sequence of the stream message, and the place in its array. */
  seq: number;
  index: number;
  /** When the stream stored it. */
  timeMs: number;
  /** A final outcome of this run came before: it does not count. */
  superseded: boolean;
  /** Stored after this process began to follow. Earlier outcomes only rebuild its projection. */
  live: boolean;
}

/** Where to begin in the log, how fast to read it, and whom to tell. Errors of a callback are the caller's to catch. */
export interface OutcomesLogOptions {
  /** Called for every outcome, final or not, in the order of the log. */
  onOutcome: (logged: LoggedOutcome) => void;
  /** Called before the first outcome of each consumer. In a log that was replaced, projections begin anew. */
  onStart?: (start: LogStart) => void;
  /** When given, every live final outcome that counts gets the service's span, with these attributes besides its own. */
  spanAttributes?: (outcome: Outcome) => SpanAttributes;
  /** Chooses the first sequence to read in this log. By default, everything that the stream has is read. */
  startIn?: (log: LogFacts) => number | Promise<number>;
  /** Reads only outcomes that were stored in the last so many milliseconds. */
  sinceMs?: number;
  /** Reads at most about so many bytes of those, the latest. Default: 128 MiB. */
  maxBytes?: number;
  /** Called after a batch was taken. Nothing more is read until it resolves. */
  onRead?: () => Promise<void>;
  /** How long outcomes gather before they are taken together; less lag, more cost. Default 200. */
  gatherMs?: number;
}

/** Boards and figures need no more: before a board or a record is answered, the log is read up to now. */
const GATHER_MS = 200;

/** The parts of a process that the log uses. A `ServiceContext` has all of them. */
export interface OutcomesLogDeps {
  readonly service: ServiceName;
  readonly bus: Bus;
  readonly log: Logger;
  readonly tracer: SignalTracer;
  readonly registry: Registry;
  readonly config: {
    readonly TPS_NATS_REPLICAS: number;
    readonly TPS_OUTCOMES_MAX_AGE: number;
    readonly TPS_OUTCOMES_MAX_BYTES: number;
  };
}

/**
 * Follows OUTCOMES as a log of outcomes. A service rebuilds its projection at start from the same messages in the same
 * order, so restarts lose nothing and replicas agree.
 *
 * The first final outcome of each run in the order of the log counts. Unreadable messages are counted, logged and
 * skipped, because a bad message must not stop a projection.
 */
export class OutcomesLog {
  /** The final outcomes that count, each with the sequence of its message. */
  private finals = new TwoGenerationMap<number>();
  private readonly unreadable: Counter;
  private readonly follower: Follower;

  private constructor(
    private readonly context: OutcomesLogDeps,
    private readonly options: OutcomesLogOptions,
    /** The last sequence that was there when following began, or when the log was replaced. */
    private rebuiltAt: number,
    fromSeq: number | undefined,
  ) {
    const { bus, log, registry } = context;
    const { sinceMs, onRead, gatherMs = GATHER_MS } = options;
    this.unreadable = unreadableCounter(registry);
    this.follower = new Follower(bus, {
      stream: bus.names.streams.outcomes,
      gatherMs,
      ensure: () => ensureLog(context),
      onStart: (start) => this.begin(start),
      onMessage: (message) => this.take(message),
      onError: (error) => log.warn('following the outcomes', { error }),
      ...(fromSeq === undefined ? {} : { fromSeq }),
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(onRead ? { onRead } : {}),
    });
  }

  /** Creates the stream if nobody did yet, and begins to follow it; does not wait for the rebuild. */
  static async open(context: OutcomesLogDeps, options: OutcomesLogOptions): Promise<OutcomesLog> {
    const { bus } = context;
    await ensureLog(context);
    const { created, state } = await (await managerOf(bus)).streams.info(bus.names.streams.outcomes);
    const fromSeq = options.startIn
      ? await options.startIn({ created, lastSeq: state.last_seq })
      : await recentStart(bus, state, options);
    return new OutcomesLog(context, options, state.last_seq, fromSeq);
  }

  /** Sequence of the last message that is accounted for. */
  get position(): number {
    return this.follower.position;
  }

  /**
   * The first message whose final outcomes are remembered. A start that reads the log from here recognises the same
   * superseded outcomes as this process does.
   */
  get remembersFrom(): number {
    return this.finals.oldest ?? this.position + 1;
  }

  /** Everything that was stored when this process began to follow is accounted for. */
  get rebuilt(): boolean {
    return this.follower.position >= this.rebuiltAt;
  }

  /** Resolves when `rebuilt`; false if it is stopped before. */
  untilRebuilt(): Promise<boolean> {
    return this.follower.until(() => this.rebuilt, LONGEST_TIMER_MS);
  }

  /** Why a service that answers from this log cannot do so now, for `RunningService.problems`. */
  problems(): string[] {
    if (!this.context.bus.connected) return ['not connected to NATS'];
    if (!this.rebuilt) return ['reading the log of outcomes'];
    return this.follower.lostFor(Date.now()) > LOST_LIMIT_MS
      ? ['the log of outcomes is not followed now']
      : [];
  }

  /** Resolves when everything stored before the call is accounted for; false when that takes longer than `limitMs`. */
  caughtUp(limitMs: number): Promise<boolean> {
    return this.follower.caughtUp(limitMs);
  }

  stop(): Promise<void> {
    return this.follower.stop();
  }

  private begin(start: LogStart): void {
    if (start.replaced) {
      this.finals = new TwoGenerationMap();
      this.rebuiltAt = start.lastSeq;
    }
    this.options.onStart?.(start);
  }

  private take(message: LogMessage): void {
    const { seq, timeMs } = message;
    const live = seq > this.rebuiltAt;
    const counted: LoggedOutcome[] = [];
    this.items(message).forEach((item, index) => {
      const outcome = this.read(item, seq, index);
      if (!outcome) return;
      const logged = { outcome, seq, index, timeMs, superseded: this.isSuperseded(outcome, seq), live };
      this.options.onOutcome(logged);
      if (outcome.final && !logged.superseded) counted.push(logged);
    });
    if (live && this.options.spanAttributes) this.addSpans(counted, message, this.options.spanAttributes);
  }

  private items({ msg, seq }: LogMessage): unknown[] {
    try {
      const items = jsonOf(msg, 'outcomes');
      if (Array.isArray(items)) return items as unknown[];
      this.reject(seq, 'outcomes: the message must be a list');
    } catch (error) {
      this.reject(seq, String(error));
    }
    return [];
  }

  /** Checks the whole outcome, although every signal pays for it: all readers of the record rely on it. */
  private read(item: unknown, seq: number, index: number): Outcome | undefined {
    try {
      return checkOutcome(item, `item ${index}`);
    } catch (error) {
      this.reject(seq, String(error));
      return undefined;
    }
  }

  private reject(seq: number, reason: string): void {
    this.unreadable.inc();
    this.context.log.warn('outcome skipped: unreadable', { seq, reason });
  }

  private isSuperseded({ signal_id, run, final }: Outcome, seq: number): boolean {
    if (!final) return false;
    const key = run === 0 ? signal_id : `${signal_id}/${run}`;
    if (this.finals.has(key)) return true;
    this.finals.set(key, seq);
    return false;
  }

  /** Each lasts from the moment the stream had the outcome until it was taken into account here. */
  private addSpans(
    counted: LoggedOutcome[],
    { msg, timeMs }: LogMessage,
    own: (outcome: Outcome) => SpanAttributes,
  ): void {
    const parents = headerValues(msg.headers, 'traceparent');
    const states = headerValues(msg.headers, 'tracestate');
    const startMs = Math.min(timeMs, Date.now());
    for (const { outcome, index } of counted) {
      const traceparent = parents[index];
      // The sender of the signal decided whether the trace is sampled.
      if (!traceparent || !isSampled(traceparent)) continue;
      const tracestate = states[index];
      const parent = tracestate ? { traceparent, tracestate } : { traceparent };
      const attributes = { ...describe(outcome), ...own(outcome) };
      const options = { kind: SpanKind.CONSUMER, startMs, attributes };
      this.context.tracer.start(SPANS[this.context.service], options, parent).end();
    }
  }
}

async function ensureLog({ bus, config }: OutcomesLogDeps): Promise<void> {
  await createStream(bus, 'outcomes', {
    replicas: config.TPS_NATS_REPLICAS,
    outcomesMaxAgeMs: config.TPS_OUTCOMES_MAX_AGE * HOUR_MS,
    outcomesMaxBytes: config.TPS_OUTCOMES_MAX_BYTES,
  });
}

/** The last byte of a `traceparent` holds the flags, the last bit of them is "sampled". */
function isSampled(traceparent: string): boolean {
  return (parseInt(traceparent.slice(-2), 16) & 1) === 1;
}

function describe(outcome: Outcome): SpanAttributes {
  return {
    'messaging.system': 'nats',
    'tps.signal.id': outcome.signal_id,
    'tps.signal.type': outcome.signal_type,
    'tps.outcome.status': outcome.status,
  };
}

/** A service may read the log more than once at a time, and a name can be registered only once. */
function unreadableCounter(registry: Registry): Counter {
  const { name } = METRICS.outcomesUnreadable;
  const known = registry.getSingleMetric(name);
  return known instanceof Counter
    ? known
    : new Counter({ ...METRICS.outcomesUnreadable, registers: [registry] });
}
