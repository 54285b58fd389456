import type { Priority } from '@tps/contracts';

/** How full the buffer is. */
export interface BufferUse {
  /** Accepted, unfinished signals. */
  depth: number;
  /** Accepted, unfinished signals of the new signal's type. */
  depthOfType: number;
  /** Known signal types. Each has an equal share of a buffer that is nearly full. */
  knownTypes: number;
  buffer: number;
}

/** In tenths, because in floating point 100 x 1.1 is more than 110. */
const CRITICAL_TENTHS = 11;
const LOW_TENTHS = 8;
/** Above this share of the buffer, a type with more than its fair share gives way to the others. */
const TIGHT = 0.8;

/** The limit of the stream itself, which is that of priority 1. */
export function hardLimit(buffer: number): number {
  return Math.ceil((buffer * CRITICAL_TENTHS) / 10);
}

/** Why a signal may not enter. */
export interface NoRoom {
  reason: string;
  /** Signals that must leave the queue before it may. */
  over: number;
}

/** Decides whether one more signal may enter. @returns null if it may */
export function noRoom(priority: Priority, fill: BufferUse): NoRoom | null {
  const { depth, depthOfType, knownTypes, buffer } = fill;
  const limit = limitOf(priority, buffer);
  if (depth >= limit) {
    const reason = `${depth} signals are unfinished; priority ${priority} may enter below ${limit}`;
    return { reason, over: depth - limit + 1 };
  }
  const share = buffer / Math.max(1, knownTypes);
  if (priority !== 1 && depth >= buffer * TIGHT && depthOfType >= share) {
    const reason = `the buffer is ${Math.round((depth / buffer) * 100)} % full and this type holds its fair share of ${Math.floor(share)}`;
    // It may enter as soon as either of the two is no longer so.
    const over = Math.min(depth - buffer * TIGHT, depthOfType - share) + 1;
    return { reason, over: Math.ceil(over) };
  }
  return null;
}

function limitOf(priority: Priority, buffer: number): number {
  if (priority === 1) return hardLimit(buffer);
  return priority === 4 ? Math.max(1, Math.floor((buffer * LOW_TENTHS) / 10)) : buffer;
}
