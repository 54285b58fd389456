import type { LeasedSignal } from './lease-table';

/**
 *   turning --- no beat for `STILL_PART` of a lease ---> still     (connects to NATS, renews)
 *   still ----- no beat for 1 s -----------------------> blocked   (tells people, speaks for the main thread)
 *   still, blocked --- the time of the block is up ----> let_go    (nobody speaks for it any more)
 *   any ------- a beat --------------------------------> turning
 */
export type Phase = 'turning' | 'still' | 'blocked' | 'let_go';

/** A block of the event loop, by the clock of the thread that watches it. */
export interface Block {
  sinceMs: number;
  /** When the thread stops to speak for the main thread. */
  untilMs: number;
  /** The signal whose handler blocks, if that is known. */
  signal: LeasedSignal | undefined;
  /** A handler was started, which may be the cause. Otherwise nobody speaks for the main thread. */
  isOfHandler: boolean;
  /** Every other signal whose handler was started. */
  others: LeasedSignal[];
}

/** People are told of blocks from this length on. */
export const TOLD_MS = 1_000;
/** A handler may outlive its attempt's time by so much: it may be about to end. */
export const GRACE_MS = 5_000;
/** The thread looks so often in the time of a lease. */
const LOOKS_PER_LEASE = 40;
const MAX_LOOK_MS = 250;
const LOOKS_UNTIL_STILL = 3;

/** How often the main thread beats and the monitor's thread looks. */
export function lookMs(leaseMs: number): number {
  return Math.min(leaseMs / LOOKS_PER_LEASE, MAX_LOOK_MS);
}

/** Follows the beats of the main thread. Pure: the clock is handed in. */
export class BlockWatch {
  phase: Phase = 'turning';
  /** The last block, while the phase is not `turning`. */
  block: Block | undefined;
  private beats = -1;
  private beatMs = 0;
  private lookedMs: number | undefined;

  /** @param holds reads the lease table; called once per block, because a blocked main thread changes nothing */
  look(now: { nowMs: number; leaseMs: number; beats: number }, holds: () => Holds): Phase {
    const { nowMs, leaseMs, beats } = now;
    const every = lookMs(leaseMs);
    const wasAsleep = this.lookedMs !== undefined && nowMs - this.lookedMs > TOLD_MS;
    this.lookedMs = nowMs;
    if (beats !== this.beats) {
      this.beats = beats;
      this.beatMs = nowMs;
      return (this.phase = 'turning');
    }
    // The whole process stood still: the main thread has had no chance to beat yet.
    if (wasAsleep && this.phase === 'turning') this.beatMs = nowMs;
    const stillMs = nowMs - this.beatMs;
    if (this.phase === 'turning') {
      if (stillMs < LOOKS_UNTIL_STILL * every) return this.phase;
      this.block = blockOf(holds(), this.beatMs, nowMs);
      this.phase = 'still';
    }
    if (this.block && nowMs > this.block.untilMs) this.phase = 'let_go';
    else if (stillMs >= TOLD_MS) this.phase = 'blocked';
    return this.phase;
  }
}

export interface Holds {
  running: LeasedSignal | undefined;
  signals: LeasedSignal[];
  /** The clock of `endsAtMs`. */
  dateMs: number;
}

/**
 * A handler that has not waited for anything yet is known by the table. Code that runs after an `await` belongs to any
 * of the handlers that were started: then the longest of their times counts.
 */
function blockOf({ running, signals, dateMs }: Holds, sinceMs: number, nowMs: number): Block {
  const started = signals.filter((signal) => signal.started);
  const signal = running ?? (started.length === 1 ? started[0] : undefined);
  const suspects = signal ? [signal] : started;
  const leftMs = Math.max(0, ...suspects.map(({ endsAtMs }) => endsAtMs - dateMs));
  const isOfHandler = suspects.length > 0;
  const graceMs = isOfHandler ? GRACE_MS : 0;
  const others = started.filter(({ ack }) => ack !== signal?.ack);
  return { sinceMs, untilMs: nowMs + leftMs + graceMs, signal, isOfHandler, others };
}

/** People hear of each block that lasts so long, and of shorter ones at most once in `QUIET_MS`. */
const LONG_MS = 5_000;
const QUIET_MS = 10_000;

/** Decides which blocks the log tells of, so that a handler that blocks again and again does not flood it. */
export class BlockTeller {
  private toldMs = -Infinity;
  private unsaid = 0;
  private isTold = false;
  private last: Block | undefined;

  /** @returns how many blocks were left out since the last one that was told, or null to tell nothing now */
  tell(block: Block, nowMs: number): number | null {
    const isNew = block !== this.last;
    if (isNew && this.last && !this.isTold) this.unsaid += 1;
    if (isNew) this.isTold = false;
    this.last = block;
    const isDue = nowMs - this.toldMs >= QUIET_MS || nowMs - block.sinceMs >= LONG_MS;
    if (this.isTold || !isDue) return null;
    const { unsaid } = this;
    Object.assign(this, { isTold: true, toldMs: nowMs, unsaid: 0 });
    return unsaid;
  }

  /** The end of a block is told if the block was. */
  tellsEnd(block: Block): boolean {
    return block === this.last && this.isTold;
  }
}
