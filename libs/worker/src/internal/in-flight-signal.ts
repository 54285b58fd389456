import type { Msg } from '@nats-io/transport-node';
import { headerValues } from '@tps/bus';
import { type Outcome, type Signal, SUSPECT_HEADER } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { TraceHeaders } from '@tps/telemetry';
import type { LazyAbort } from './lazy-abort';
import type { Delivery } from './lane-reader';
import type { Answerable } from './queue-life';

/**
 * A signal in this worker's hands, from delivery to acknowledgement.
 *
 * While it is in flight its lease is renewed; when this process dies the broker hands it to another worker.
 */
export interface InFlightSignal extends Answerable {
  readonly signal: Signal;
  readonly lane: string;
  /** Its entry in the lease table, -1 without one. */
  readonly entry: number;
  readonly trace: TraceHeaders | undefined;
  /** It may have run before: looked up in the records before it runs. */
  readonly suspect: boolean;
  /** It was read after a standstill of this worker, so another one may run it. */
  readonly readLate?: boolean;
  /** The latest record of this run, where an earlier delivery left one. */
  last?: Outcome | undefined;
  /** Place in the level sequence. */
  place: number;
  /** When the sequence chose its lane. */
  plannedMs: number;
  /** Aborts the attempt under way. */
  abort?: LazyAbort;
  /** Set when this is the trial of a stopped circuit. */
  epoch?: number;
  /** With `epoch`: an earlier attempt or run failed, so that a signal that never failed may take the trial from it. */
  failedBefore?: boolean;
  /** The message of the CapacityError with which its handler gave it back. */
  noRoom?: string;
  /** The number of the attempt, once its handler was started. */
  attempt?: number;
  /** Set when its attempt failed and it is released for a retry: the backoff. */
  retryMs?: number;
  /** The handler, while it still runs after its attempt was ended from outside. */
  overrun?: Promise<unknown> | undefined;
}

export function toInFlight(
  { msg, info, lane, life, lifeNo, entry }: Delivery,
  signal: Signal,
  given: Pick<InFlightSignal, 'suspect' | 'readLate' | 'place' | 'plannedMs'>,
): InFlightSignal {
  const suspect = given.suspect || (msg.headers?.has(SUSPECT_HEADER) ?? false);
  return {
    signal,
    lane,
    entry,
    msg,
    info,
    life,
    lifeNo,
    trace: traceOf(msg),
    suspect,
    ...(given.readLate ? { readLate: true } : {}),
    place: given.place,
    plannedMs: given.plannedMs,
  };
}

function traceOf(msg: Msg): TraceHeaders | undefined {
  const traceparent = headerValues(msg.headers, 'traceparent')[0];
  if (!traceparent) return undefined;
  const tracestate = headerValues(msg.headers, 'tracestate')[0];
  return tracestate ? { traceparent, tracestate } : { traceparent };
}

/** When the signal's own time is up; it stands still while its line is stopped. */
export function deadlineOf({ signal, info }: InFlightSignal, lines: LineView): number {
  const pausedMs = lines.heldMs(signal.signal_type, info.storedAtMs, Date.now());
  return Date.parse(signal.created_at) + signal.timeout_ms + pausedMs;
}
