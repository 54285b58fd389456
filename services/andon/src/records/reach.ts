import type { StreamConfig, StreamState } from '@nats-io/jetstream';
import type { Reach } from '@tps/contracts';

/** A stream that has less room than one message of the broker's size limit drops its oldest messages. */
const MESSAGE_BYTES = 1024 ** 2;
const NANOS_PER_MS = 1e6;
/** Shares of the promise that are no shortage: the log is looked at every few seconds. */
const TOLERANCE = 0.99;

/** The facts of the log that decide how far the records reach back. */
export interface LogRoom {
  config: Pick<StreamConfig, 'max_age' | 'max_bytes'>;
  state: Pick<StreamState, 'bytes' | 'first_seq' | 'first_ts' | 'messages'>;
}

/** Computes how far back the records reach, in milliseconds: as far as promised, unless the log drops outcomes before. */
export function reachMs({ config, state }: LogRoom, promisedMs: number, nowMs: number): number {
  const { max_age, max_bytes } = config;
  const ageMs = max_age > 0 ? max_age / NANOS_PER_MS : Infinity;
  const isCut = max_bytes > 0 && state.first_seq > 1 && state.bytes + MESSAGE_BYTES > max_bytes;
  const keptMs = isCut && state.messages > 0 ? nowMs - Date.parse(String(state.first_ts)) : Infinity;
  return Math.max(0, Math.min(promisedMs, ageMs, keptMs));
}

/** The reach as the API tells it. */
export function reachOf(ms: number, promisedMs: number, nowMs: number): Reach {
  const hours = (value: number): number => Math.round(value / 360_000) / 10;
  return { since: new Date(nowMs - ms).toISOString(), hours: hours(ms), promised_hours: hours(promisedMs) };
}

/** Why the records are short of what was promised; undefined when they are not. */
export function shortage(ms: number, promisedMs: number): string | undefined {
  if (ms >= promisedMs * TOLERANCE) return undefined;
  const { hours, promised_hours } = reachOf(ms, promisedMs, 0);
  return `the records reach back ${hours} h of ${promised_hours}`;
}
