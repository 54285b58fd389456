import { type KaizenSnapshot, WIRE_VERSION } from '@tps/contracts';
import type { LoggedOutcome } from '@tps/fleet';
import { LossWindow } from './loss-window';
import { OutcomeCounts } from './outcome-counts';

/** The facts of the log that a start needs, see `OutcomesLogOptions`. */
interface Log {
  created: string;
  lastSeq: number;
}

/**
 * The totals that people see, and the place in the log up to which they were counted. A start takes both from a snapshot, so
 * totals stay when the broker drops old outcomes.
 *
 * A log that the broker lost takes no totals with it. In the next log, or in the same one set back to an older copy,
 * every outcome counts that was stored after the last counted one.
 */
export class Totals {
  readonly counts: OutcomeCounts;
  readonly losses: LossWindow;
  private log: KaizenSnapshot['log'];
  /** Place of the last counted outcome in its message. Snapshots stand between messages. */
  private index = Infinity;

  constructor(snapshot?: KaizenSnapshot) {
    this.counts = snapshot ? OutcomeCounts.restore(snapshot) : new OutcomeCounts();
    this.losses = snapshot ? LossWindow.restore(snapshot.losses) : new LossWindow();
    this.log = snapshot?.log ?? { created: '', seq: 0, at_ms: 0, after_ms: 0, reread_from: 0 };
  }

  /** The first sequence to read. Outcomes up to the counted one are read for the final ones among them, and not counted. */
  startIn(log: Log): number {
    const isSame = log.created === this.log.created && log.lastSeq >= this.log.seq;
    if (!isSame) this.enter(log.created);
    return this.log.reread_from;
  }

  /** Called with each consumer of the log. */
  begin({ created, replaced }: { created: string; replaced: boolean }): void {
    if (replaced || created !== this.log.created) this.enter(created);
  }

  take(logged: LoggedOutcome): void {
    const { seq, index, timeMs } = logged;
    const { log } = this;
    if (timeMs <= log.after_ms || seq < log.seq || (seq === log.seq && index <= this.index)) return;
    log.seq = seq;
    this.index = index;
    log.at_ms = Math.max(log.at_ms, timeMs);
    this.counts.add(logged);
    this.losses.add(logged);
  }

  /** @param rereadFrom the first message whose final outcomes are remembered */
  snapshot(rereadFrom: number): KaizenSnapshot {
    return {
      v: WIRE_VERSION,
      log: { ...this.log, reread_from: rereadFrom },
      ...this.counts.record(),
      losses: this.losses.record(),
    };
  }

  private enter(created: string): void {
    const { at_ms } = this.log;
    this.log = { created, seq: 0, at_ms, after_ms: at_ms, reread_from: 0 };
  }
}
