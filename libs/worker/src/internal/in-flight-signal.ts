import type { Msg } from '@nats-io/transport-node';
import { headerValues } from '@tps/bus';
import { type Outcome, type Signal, SUSPECT_HEADER } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { SignalSpan, TraceHeaders } from '@tps/telemetry';
import type { CompiledDefinition } from './attempt';
import type { Delivery } from './lane-reader';
import { LazyAbort } from './lazy-abort';
import type { Answerable } from './queue-life';
import type { RedeliveryGuard } from './redelivery-guard';

/**
 * A signal from its delivery to its acknowledgement, with what the steps of the pipeline find out about it. Its lease is
 * renewed meanwhile. If this process dies, the broker delivers the signal to another worker.
 */
export interface InFlightSignal extends Answerable {
  readonly signal: Signal;
  readonly definition: CompiledDefinition;
  readonly lane: string;
  /** Its entry in the lease table, -1 without one. */
  readonly entry: number;
  readonly trace: TraceHeaders | undefined;
  /** It may have run before, so the records are asked before it runs. */
  readonly suspect: boolean;
  /** This worker read it after a standstill, so another worker may be running it. */
  readonly readLate?: boolean;
  /** Place in the level sequence. */
  place: number;
  /** When the sequence chose its lane. */
  plannedMs: number;
  /** Aborts the attempt. */
  readonly abort: LazyAbort;
  /** Number of this attempt: 1 if the records tell of none before. */
  attempt: number;
  /** The latest record of this run, if an earlier delivery left one. */
  last?: Outcome | undefined;
  /** `attempt` and `last` come from the records. */
  isInspected?: boolean;
  /** When the signal's own time is up. */
  deadlineMs: number;
  /** The run ends without this attempt, because it is too late or the attempts are used up. */
  isOver?: boolean;
  /** Set when this is the trial of a stopped circuit. */
  epoch?: number;
  /** An earlier attempt or run failed, so a signal that never failed may take the trial from it. */
  failedBefore?: boolean;
  span?: SignalSpan | undefined;
  /** The start of the attempt, by the calendar and by the monotonic clock. */
  startedMs?: number | undefined;
  startedClockMs?: number;
  processMs?: number;
  /** Its handler was started, so this attempt counts. */
  hasStarted?: boolean;
  /** The message of the CapacityError by which its handler released it. */
  noRoom?: string;
  /** The backoff, when its attempt failed and it is released for a retry. */
  retryMs?: number;
  /** The handler, while it still runs after its attempt was ended from outside. */
  overrun?: Promise<unknown> | undefined;
}

/** Every field that an ordinary signal uses is there from the start, because V8 handles objects of one shape faster. */
export function toInFlight(
  { msg, info, lane, life, lifeNo, entry }: Delivery,
  signal: Signal,
  definition: CompiledDefinition,
  guard: RedeliveryGuard,
): InFlightSignal {
  const isSuspect = guard.isSuspect(info);
  const readLate = guard.readsLate;
  return {
    signal,
    definition,
    lane,
    entry,
    msg,
    info,
    life,
    lifeNo,
    trace: traceOf(msg),
    suspect: isSuspect || readLate || (msg.headers?.has(SUSPECT_HEADER) ?? false),
    readLate,
    place: 0,
    plannedMs: 0,
    abort: new LazyAbort(),
    attempt: 1,
    deadlineMs: 0,
    isOver: false,
    span: undefined,
    startedMs: undefined,
    startedClockMs: 0,
    processMs: 0,
    hasStarted: false,
  };
}

function traceOf(msg: Msg): TraceHeaders | undefined {
  const traceparent = headerValues(msg.headers, 'traceparent')[0];
  if (!traceparent) return undefined;
  const tracestate = headerValues(msg.headers, 'tracestate')[0];
  return tracestate ? { traceparent, tracestate } : { traceparent };
}

/** When the signal's own time is up. The time during which its line is stopped does not count. */
export function deadlineOf({ signal, info }: InFlightSignal, lines: LineView): number {
  const pausedMs = lines.pausedMs(signal.signal_type, info.storedAtMs, Date.now());
  return Date.parse(signal.created_at) + signal.timeout_ms + pausedMs;
}

/** The id of the trace that the signal belongs to; empty without one. */
export function traceIdOf({ span, trace }: InFlightSignal): string {
  return span?.traceId ?? trace?.traceparent.split('-')[1] ?? '';
}
