import type { InFlightSignal } from './in-flight-signal';
import type { Delivery } from './lane-reader';
import type { Answerable } from './queue-life';

/** Delay of a message that this worker cannot take now. */
export const LATER_MS = 1_000;
const LONGEST_MS = 32_000;
const encoder = new TextEncoder();
const ACK = encoder.encode('+ACK');
const IN_PROGRESS = encoder.encode('+WPI');

/** Removes the message from the stream. If the acknowledgement is lost, the message comes again, as a suspect. */
export function acknowledge(delivery: Answerable): void {
  delivery.life.answer(delivery, ACK);
}

/** Renews the lease. */
export function renewLease(delivery: Answerable): void {
  delivery.life.renew(delivery, IN_PROGRESS);
}

/** Gives the message back to its lane, not before `delayMs`. */
export function nak(delivery: Answerable, delayMs: number): void {
  delivery.life.answer(delivery, delayMs > 0 ? `-NAK {"delay":${Math.round(delayMs * 1e6)}}` : '-NAK');
}

/** Delay of a signal that cannot run now: it doubles with each delivery, and half of it is random. */
export function releaseDelayMs({ info }: InFlightSignal, firstMs = LATER_MS): number {
  const ms = Math.min(firstMs * 2 ** (info.deliveries - 1), LONGEST_MS);
  return ms / 2 + (Math.random() * ms) / 2;
}

export function carriesSignal({ msg }: Delivery, id: string): boolean {
  return msg.subject.endsWith(`.${id}`);
}
