import { EventEmitter } from 'node:events';
import type { Outcome } from '@tps/contracts';
import CircuitBreaker from 'opossum';

export interface MonitorSettings {
  /** Consecutive failed attempts, or signals with the same defect, that stop the line. */
  threshold: number;
  /** Share of bad attempts in the rolling window above which the line stops. */
  errorPercent: number;
  /** A successful attempt that took longer counts as bad in the window, in milliseconds; 0: none does. */
  slowMs: number;
}

/** Why a line has to stop. */
export interface StopDecision {
  reason: string;
  /** The dependencies that failed, when they are the reason. */
  dependencies?: string[];
  latch?: { fingerprint: string; signals: number };
}

/** How an outcome counts for its line. */
export type OutcomeGrade = 'good' | 'bad' | 'neutral';

export const WINDOW_MS = 30_000;
const BUCKETS = 10;
const BUCKET_MS = WINDOW_MS / BUCKETS;
/** A percentage of fewer attempts says little. */
const MIN_ATTEMPTS = 20;
const DEFECTS_MS = 300_000;
const MAX_FINGERPRINTS = 100;
/** One dependency never stops a line, however low the threshold. */
const MIN_DEPENDENCIES = 2;
/** The most dependencies that a reason names. */
const MAX_NAMED = 5;

class BadAttempt extends Error {
  override readonly name = 'BadAttempt';
}
const BAD = new BadAttempt('bad attempt');

/** Capacity and the sender's faults never count against the line. */
export function gradeOf({ status, error_class }: Outcome): OutcomeGrade {
  if (status === 'succeeded') return 'good';
  if (status !== 'failed' && status !== 'retrying') return 'neutral';
  return error_class === 'transient' || error_class === 'defect' ? 'bad' : 'neutral';
}

/**
 * Watches the outcomes of one line and decides when it must stop. Its time is that of the log, so that every replica
 * decides the same, also when it reads the log again.
 *
 * opossum keeps the rolling window and decides when it is too bad. A good attempt is not called through it but only
 * counted (two events, no promise, no timer), and its buckets rotate with the log.
 */
export class LineMonitor {
  private consecutiveFailures = 0;
  /** Dependencies that failed since the latest good attempt. */
  private readonly failing = new Set<string>();
  private readonly clock = new EventEmitter();
  private slot = 0;
  private readonly breaker: CircuitBreaker;
  /** By fingerprint: the signals that showed the defect, each with its latest time in milliseconds. */
  private readonly defects = new Map<string, Map<string, number>>();

  constructor(private readonly settings: MonitorSettings) {
    const options = {
      timeout: false as const,
      errorThresholdPercentage: settings.errorPercent,
      volumeThreshold: Math.max(MIN_ATTEMPTS, settings.threshold),
      rollingCountTimeout: WINDOW_MS,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.clock,
    };
    this.breaker = new CircuitBreaker(fail, options);
  }

  /** @param whole false while the monitor has seen only a part of its window: a share of that opens nothing */
  take(outcome: Outcome, timeMs: number, whole = true): StopDecision | null {
    const grade = gradeOf(outcome);
    if (grade === 'neutral') return null;
    if (outcome.dependency !== undefined) return this.checkDependencies(outcome.dependency, outcome.message);
    this.rotateTo(timeMs);
    const { slowMs } = this.settings;
    if (grade === 'good') {
      this.consecutiveFailures = 0;
      if (this.failing.size > 0) this.failing.clear();
      if (slowMs === 0 || outcome.process_ms <= slowMs) {
        this.breaker.emit('fire');
        this.breaker.emit('success', undefined, outcome.process_ms);
        return null;
      }
    } else this.consecutiveFailures += 1;
    this.countBad(whole);
    return grade === 'bad' ? this.checkFailure(outcome, timeMs) : this.checkWindow();
  }

  /** opossum judges its window only on a failed call; an event it just counts. */
  private countBad(whole: boolean): void {
    if (whole) return void this.breaker.fire().catch(() => undefined);
    this.breaker.emit('fire');
    this.breaker.emit('failure', BAD, 0);
  }

  /** Stops the timers of opossum. */
  close(): void {
    this.breaker.shutdown();
  }

  private checkFailure(outcome: Outcome, timeMs: number): StopDecision | null {
    const latch = outcome.error_class === 'defect' ? this.repeatedDefect(outcome, timeMs) : null;
    if (latch) {
      const reason = `the same defect in ${latch.signals} signals: ${outcome.message}`;
      return { reason, latch };
    }
    if (this.consecutiveFailures >= this.settings.threshold) {
      return { reason: `${this.consecutiveFailures} failed attempts in a row, last: ${outcome.message}` };
    }
    return this.checkWindow();
  }

  /**
   * A dependency that fails repeatedly is not the line's fault, so it counts once until something succeeds. When as many
   * dependencies as the threshold fail and nothing succeeds between, the worker's network is the likelier cause.
   */
  private checkDependencies(dependency: string, message: string): StopDecision | null {
    const enough = Math.max(this.settings.threshold, MIN_DEPENDENCIES);
    if (this.failing.size < enough) this.failing.add(dependency);
    if (this.failing.size < enough) return null;
    const dependencies = [...this.failing];
    const named = dependencies.slice(0, MAX_NAMED).join(', ') + (enough > MAX_NAMED ? ', ...' : '');
    const reason = `${enough} dependencies failed in a row (${named}), last: ${message}`;
    return { reason, dependencies };
  }

  private checkWindow(): StopDecision | null {
    if (!this.breaker.opened) return null;
    const { failures, fires } = this.breaker.stats;
    const { slowMs } = this.settings;
    const slow = slowMs > 0 ? ` or took longer than ${slowMs} ms` : '';
    const share = Math.round((100 * failures) / fires);
    return { reason: `${share} % of ${fires} attempts within ${WINDOW_MS / 1000} s failed${slow}` };
  }

  /** Counts distinct signals: a signal that keeps failing does not prove that the line is at fault. */
  private repeatedDefect(
    { fingerprint, message, signal_id }: Outcome,
    timeMs: number,
  ): StopDecision['latch'] | null {
    const mark = fingerprint ?? message;
    const signals = this.defects.get(mark) ?? new Map<string, number>();
    this.defects.delete(mark);
    this.defects.set(mark, signals.set(signal_id, timeMs));
    for (const [id, atMs] of signals) if (atMs <= timeMs - DEFECTS_MS) signals.delete(id);
    const [oldest] = this.defects.keys();
    if (this.defects.size > MAX_FINGERPRINTS && oldest !== undefined) this.defects.delete(oldest);
    return signals.size >= this.settings.threshold ? { fingerprint: mark, signals: signals.size } : null;
  }

  private rotateTo(timeMs: number): void {
    const slot = Math.floor(timeMs / BUCKET_MS);
    for (let turns = Math.min(slot - this.slot, BUCKETS); turns > 0; turns -= 1) this.clock.emit('rotate');
    this.slot = Math.max(slot, this.slot);
  }
}

function fail(): never {
  throw BAD;
}
