import { EventEmitter } from 'node:events';
import type { Outcome } from '@tps/contracts';
import CircuitBreaker from 'opossum';

export interface MonitorSettings {
  /** Failed attempts in a row, or signals with the same defect, that stop the line. */
  threshold: number;
  /** Share of bad attempts in the rolling window above which the line stops. */
  errorPercent: number;
  /** A successful attempt that took longer counts as bad in the window, in milliseconds; 0: none does. */
  slowMs: number;
}

/** Why a line should stop. */
export interface Finding {
  cause: 'defect' | 'in_a_row' | 'window' | 'dependencies';
  reason: string;
  /** The dependencies that failed, when the line stops for them. */
  dependencies?: string[];
  latch?: { fingerprint: string; signals: number };
}

/** What an outcome says about the line it came from. */
export type Verdict = 'good' | 'bad' | 'neutral';

export const WINDOW_MS = 30_000;
const BUCKETS = 10;
const BUCKET_MS = WINDOW_MS / BUCKETS;
/** A share of fewer attempts says little. */
const ENOUGH = 20;
const DEFECTS_MS = 300_000;
const MAX_FINGERPRINTS = 100;
/** One dependency never stops a line, however low the threshold. */
const SEVERAL = 2;
/** Dependencies that a reason names. */
const NAMED = 5;

class BadAttempt extends Error {
  override readonly name = 'BadAttempt';
}
const BAD = new BadAttempt('bad attempt');

/** Capacity and the sender's faults never count against the line. */
export function verdictOf({ status, error_class }: Outcome): Verdict {
  if (status === 'succeeded') return 'good';
  if (status !== 'failed' && status !== 'retrying') return 'neutral';
  return error_class === 'transient' || error_class === 'defect' ? 'bad' : 'neutral';
}

/**
 * Watches the outcomes of one line and finds when it should stop. Its time is that of the log, so that every replica,
 * and one that reads the log again, finds the same.
 *
 * opossum keeps the rolling window and decides when it is too bad. Nothing is called through it, so a good attempt is
 * only counted (two events, no promise, no timer), and its buckets turn with the log.
 */
export class LineMonitor {
  private inARow = 0;
  /** Dependencies that failed since the latest good attempt. */
  private readonly failing = new Set<string>();
  private readonly clock = new EventEmitter();
  private slot = 0;
  private readonly breaker: CircuitBreaker;
  /** By fingerprint: signals with that defect, and when. */
  private readonly defects = new Map<string, Map<string, number>>();

  constructor(private readonly settings: MonitorSettings) {
    const options = {
      timeout: false as const,
      errorThresholdPercentage: settings.errorPercent,
      volumeThreshold: Math.max(ENOUGH, settings.threshold),
      rollingCountTimeout: WINDOW_MS,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.clock,
    };
    this.breaker = new CircuitBreaker(fail, options);
  }

  /** @param whole false: the window is known only in part, so its share says nothing yet */
  take(outcome: Outcome, timeMs: number, whole = true): Finding | null {
    const verdict = verdictOf(outcome);
    if (verdict === 'neutral') return null;
    if (outcome.dependency !== undefined) return this.findDependencies(outcome.dependency, outcome.message);
    this.turnTo(timeMs);
    const { slowMs } = this.settings;
    if (verdict === 'good') {
      this.inARow = 0;
      if (this.failing.size > 0) this.failing.clear();
      if (slowMs === 0 || outcome.process_ms <= slowMs) {
        this.breaker.emit('fire');
        this.breaker.emit('success', undefined, outcome.process_ms);
        return null;
      }
    } else this.inARow += 1;
    this.countBad(whole);
    return verdict === 'bad' ? this.findFailure(outcome, timeMs) : this.findWindow();
  }

  /** Only a failed call makes opossum look at its window; an event is just counted. */
  private countBad(whole: boolean): void {
    if (whole) return void this.breaker.fire().catch(() => undefined);
    this.breaker.emit('fire');
    this.breaker.emit('failure', BAD, 0);
  }

  /** Nothing of it is left to run. */
  close(): void {
    this.breaker.shutdown();
  }

  private findFailure(outcome: Outcome, timeMs: number): Finding | null {
    const latch = outcome.error_class === 'defect' ? this.repeated(outcome, timeMs) : null;
    if (latch) {
      const reason = `the same defect in ${latch.signals} signals: ${outcome.message}`;
      return { cause: 'defect', reason, latch };
    }
    if (this.inARow >= this.settings.threshold) {
      return {
        cause: 'in_a_row',
        reason: `${this.inARow} failed attempts in a row, last: ${outcome.message}`,
      };
    }
    return this.findWindow();
  }

  /**
   * A dependency that fails again and again is not the line's fault, so it counts once until something succeeds. When
   * as many dependencies fail as the threshold says, and nothing succeeds between, the worker's network is the likelier
   * cause.
   */
  private findDependencies(dependency: string, message: string): Finding | null {
    const { threshold } = this.settings;
    const enough = Math.max(threshold, SEVERAL);
    if (this.failing.size < enough) this.failing.add(dependency);
    if (this.failing.size < enough) return null;
    const dependencies = [...this.failing];
    const named = dependencies.slice(0, NAMED).join(', ') + (enough > NAMED ? ', ...' : '');
    const reason = `${enough} dependencies failed in a row (${named}), last: ${message}`;
    return { cause: 'dependencies', reason, dependencies };
  }

  private findWindow(): Finding | null {
    if (!this.breaker.opened) return null;
    const { failures, fires } = this.breaker.stats;
    const { slowMs } = this.settings;
    const slow = slowMs > 0 ? ` or took longer than ${slowMs} ms` : '';
    const share = Math.round((100 * failures) / fires);
    const reason = `${share} % of ${fires} attempts within ${WINDOW_MS / 1000} s failed${slow}`;
    return { cause: 'window', reason };
  }

  /** Distinct signals: one that fails again and again is no proof that the line is at fault. */
  private repeated({ fingerprint, message, signal_id }: Outcome, timeMs: number): Finding['latch'] | null {
    const mark = fingerprint ?? message;
    const signals = this.defects.get(mark) ?? new Map<string, number>();
    this.defects.delete(mark);
    this.defects.set(mark, signals.set(signal_id, timeMs));
    for (const [id, atMs] of signals) if (atMs <= timeMs - DEFECTS_MS) signals.delete(id);
    const [oldest] = this.defects.keys();
    if (this.defects.size > MAX_FINGERPRINTS && oldest !== undefined) this.defects.delete(oldest);
    return signals.size >= this.settings.threshold ? { fingerprint: mark, signals: signals.size } : null;
  }

  private turnTo(timeMs: number): void {
    const slot = Math.floor(timeMs / BUCKET_MS);
    for (let turns = Math.min(slot - this.slot, BUCKETS); turns > 0; turns -= 1) this.clock.emit('rotate');
    this.slot = Math.max(slot, this.slot);
  }
}

function fail(): never {
  throw BAD;
}
