import type { Priority } from '@tps/contracts';

/** How full the buffer is, and with what. */
export interface BufferUse {
  /** Accepted and unfinished signals. */
  depth: number;
  /** Of the signal's own type. */
  depthOfType: number;
  /** Signal types that the fleet knows: each has an equal share when it gets tight. */
  knownTypes: number;
  buffer: number;
}

/** In tenths: 100 x 1.1 is a little more than 110. */
const CRITICAL_TENTHS = 11;
const LOW_TENTHS = 8;
/** From here on a type that holds more than its fair share gives way to the others. */
const TIGHT = 0.8;

/** What the stream itself must be able to hold: the share of priority 1. */
export function hardLimit(buffer: number): number {
  return Math.ceil((buffer * CRITICAL_TENTHS) / 10);
}

/** @returns why one more signal may not enter, or null when it may */
export function fullReason(priority: Priority, fill: BufferUse): string | null {
  const { depth, depthOfType, knownTypes, buffer } = fill;
  const limit = limitOf(priority, buffer);
  if (depth >= limit) return `${depth} signals are unfinished; priority ${priority} may enter below ${limit}`;
  const share = buffer / Math.max(1, knownTypes);
  if (priority !== 1 && depth >= buffer * TIGHT && depthOfType >= share) {
    return `the buffer is ${Math.round((depth / buffer) * 100)} % full and this type holds its fair share of ${Math.floor(share)}`;
  }
  return null;
}

function limitOf(priority: Priority, buffer: number): number {
  if (priority === 1) return hardLimit(buffer);
  return priority === 4 ? Math.max(1, Math.floor((buffer * LOW_TENTHS) / 10)) : buffer;
}
