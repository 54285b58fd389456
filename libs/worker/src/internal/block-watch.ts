import type { LeasedSignal } from './lease-table';

/**
 *   turning --- no beat for `STILL_PART` of a lease ---> still     (connects to NATS, renews)
 *   still ----- no beat for 1 s -----------------------> blocked   (tells people, speaks for the main thread)
 *   still, blocked --- the time of the block is up ----> let_go    (does not speak for the main thread any more)
 *   any ------- a beat --------------------------------> turning
 */
export type Phase = 'turning' | 'still' | 'blocked' | 'let_go';

/** A block of the event loop, by the clock of the thread that watches it. */
export interface Block {
  sinceMs: number;
  /** When the thread stops speaking for the main thread. */
  untilMs: number;
  /** The signal whose handler blocks, if that is known. */
  signal: LeasedSignal | undefined;
  /** A started handler may be the cause. Otherwise the thread does not speak for the main thread. */
  isOfHandler: boolean;
  /** All other signals whose handlers were started. */
  others: LeasedSignal[];
}

/** Blocks from this length on are logged. */
export const TOLD_MS = 1_000;
/** A handler may exceed its attempt's time by this much, because it may be about to end. */
export const GRACE_MS = 5_000;
/** How often the thread looks during one lease. */
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
 * The table knows the handler that has not waited for anything yet. Code that runs after an `await` may belong to any
 * of the started handlers, so the longest of their times counts.
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

/** Each block of this length is logged; shorter ones are logged at most once in `QUIET_MS`. */
const LONG_MS = 5_000;
const QUIET_MS = 10_000;

/** Decides which blocks are logged, so that a handler that blocks again and again does not flood the log. */
export class BlockTeller {
  private toldMs = -Infinity;
  private unsaid = 0;
  private isTold = false;
  private last: Block | undefined;

  /** @returns how many blocks were left out since the last logged one, or null to log nothing now */
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

  /** The end of a block is logged if its beginning was. */
  tellsEnd(block: Block): boolean {
    return block === this.last && this.isTold;
  }
}
