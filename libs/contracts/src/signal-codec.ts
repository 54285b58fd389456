import { type Message, parse } from './parse';
import { Signal } from './signal';
import { WIRE_VERSION } from './version';

/** Encodes a signal for the stream KANBAN, with the current version. */
export function encodeSignal(signal: Signal): string {
  return JSON.stringify(signal.v === WIRE_VERSION ? signal : { ...signal, v: WIRE_VERSION });
}

/**
 * Decodes a message of the stream KANBAN.
 *
 * @returns null if the message is no signal, has an unreadable version, or belongs to another subject
 */
export function decodeSignal(message: Message & { readonly subject: string }): Signal | null {
  try {
    const signal = parse(Signal, message, 'signal');
    const { signal_type, priority, id } = signal;
    return message.subject.endsWith(`.${signal_type}.${priority}.${id}`) ? signal : null;
  } catch {
    return null;
  }
}
