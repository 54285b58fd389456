import type { Msg } from '@nats-io/transport-node';
import { type DeliveryInfo, headerValues } from '@tps/bus';
import { type Outcome, parseLane, parseSignal, type Signal, SUSPECT_HEADER } from '@tps/contracts';
import type { LineView, TraceHeaders } from '@tps/service';
import type { Abort } from './abort';
import type { Delivered } from './lanes';

/**
 * A signal in this worker's hands, from delivery to acknowledgement.
 *
 * While it is held its lease is renewed; when this process dies the broker hands it to another worker.
 */
export interface Held {
  readonly signal: Signal;
  readonly lane: string;
  readonly msg: Msg;
  readonly info: DeliveryInfo;
  readonly trace: TraceHeaders | undefined;
  /** It may have run before: looked up in the records before it runs. */
  readonly suspect: boolean;
  /** The latest record of this run, where an earlier delivery left one. */
  last?: Outcome | undefined;
  /** Place in the level sequence. */
  place: number;
  /** When the sequence chose its lane. */
  pickedMs: number;
  /** Aborts the attempt under way. */
  abort?: Abort;
  /** Set when this is the trial of a stopped circuit. */
  epoch?: number;
  /** The message of the CapacityError with which its handler gave it back. */
  noRoom?: string;
  /** The number of the attempt, once its handler was started. */
  attempt?: number;
  /** The handler, while it still runs after its attempt was ended from outside. */
  overrun?: Promise<unknown> | undefined;
}

/** How long a message stays in its lane that this worker cannot take now, in milliseconds. */
export const LATER_MS = 1_000;
const LONGEST_MS = 32_000;
const encoder = new TextEncoder();
const ACK = encoder.encode('+ACK');
const IN_PROGRESS = encoder.encode('+WPI');

export function takenUp(
  { msg, info, lane }: Delivered,
  signal: Signal,
  given: Pick<Held, 'suspect' | 'place' | 'pickedMs'>,
): Held {
  const suspect = given.suspect || (msg.headers?.has(SUSPECT_HEADER) ?? false);
  return {
    signal,
    lane,
    msg,
    info,
    trace: traceOf(msg),
    suspect,
    place: given.place,
    pickedMs: given.pickedMs,
  };
}

function traceOf(msg: Msg): TraceHeaders | undefined {
  const traceparent = headerValues(msg.headers, 'traceparent')[0];
  if (!traceparent) return undefined;
  const tracestate = headerValues(msg.headers, 'tracestate')[0];
  return tracestate ? { traceparent, tracestate } : { traceparent };
}

/** When the signal's own time is up; it stands still while its line is stopped. */
export function deadlineOf({ signal, info }: Held, lines: LineView): number {
  const held = lines.heldMs(signal.signal_type, info.storedAtMs, Date.now());
  return Date.parse(signal.created_at) + signal.timeout_ms + held;
}

/** Removes the message from the stream. Lost while disconnected: then it comes again, as a suspect. */
export function acknowledge(msg: Msg): void {
  msg.respond(ACK);
}

/** Renews the lease. */
export function renew(msg: Msg): void {
  msg.respond(IN_PROGRESS);
}

/** Gives the message back to its lane, not before `delayMs`. */
export function giveBack(msg: Msg, delayMs: number): void {
  msg.respond(delayMs > 0 ? `-NAK {"delay":${Math.round(delayMs * 1e6)}}` : '-NAK');
}

/** When a signal that cannot run now comes back: later each time, and not all of them at once. */
export function laterMs({ info }: Held, firstMs = LATER_MS): number {
  const ms = Math.min(firstMs * 2 ** (info.deliveries - 1), LONGEST_MS);
  return ms / 2 + (Math.random() * ms) / 2;
}

export function isOf({ msg }: Delivered, id: string): boolean {
  return msg.subject.endsWith(`.${id}`);
}

/** The signal in a message, or null when no worker could make sense of it. */
export function readSignal({ msg, lane }: Delivered): Signal | null {
  try {
    const signal = parseSignal(msg);
    const { type, priority } = parseLane(lane);
    const fits = signal.signal_type === type && signal.priority === priority;
    return fits && msg.subject.endsWith(`.${signal.id}`) ? signal : null;
  } catch {
    return null;
  }
}
