import { EventEmitter } from 'node:events';
import type { Outcome } from '@tps/contracts';
import CircuitBreaker from 'opossum';
import { type DefectRecords, EqualDefects } from './equal-defects';
import { FailedSignals } from './failed-signals';

export interface MonitorSettings {
  /** Failed attempts in a row, or signals with the same defect, that stop the line. */
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
  /** Signals whose failures are the reason and that have attempts left; absent when there are none, or too many. */
  unfinished?: string[];
  latch?: { fingerprint: string; signals: number };
}

/** How an outcome counts for its line. */
export type OutcomeGrade = 'good' | 'bad' | 'neutral';

export const WINDOW_MS = 30_000;
const BUCKETS = 10;
const BUCKET_MS = WINDOW_MS / BUCKETS;
/** A percentage of fewer attempts says little. */
const MIN_ATTEMPTS = 20;
/** Failures of fewer signals, or of one worker among several, do not prove that the line is at fault. */
const MIN_SIGNALS = 3;
const MIN_WORKERS = 2;
/** A worker that ended no attempt for this long does not serve the line now. */
const SERVED_MS = 60_000;
const MAX_WORKERS = 1_000;
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
  /** Failed attempts since the latest good one. */
  private readonly streak = { attempts: 0, signals: new FailedSignals(), workers: new Set<string>() };
  /** Signals with a bad attempt, for the window. */
  private readonly failed = new FailedSignals();
  /** By worker: when it last ended an attempt, in milliseconds. */
  private readonly served = new Map<string, number>();
  private readonly minSignals: number;
  /** Dependencies that failed since the latest good attempt. */
  private readonly failing = new Set<string>();
  private readonly clock = new EventEmitter();
  private slot = 0;
  private readonly breaker: CircuitBreaker;
  private readonly equalDefects: EqualDefects;

  /** @param defects the counts of the record, from before the circuit last changed */
  constructor(
    private readonly settings: MonitorSettings,
    defects?: DefectRecords,
  ) {
    this.equalDefects = new EqualDefects(defects);
    this.minSignals = Math.min(MIN_SIGNALS, settings.threshold);
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

  /**
   * @param circumstances.whole false while the monitor has seen only a part of its window: a share of that opens nothing
   * @param circumstances.cleared the signal stopped the line before, and other work succeeded since: its failures are its own
   */
  take(outcome: Outcome, timeMs: number, { whole = true, cleared = false } = {}): StopDecision | null {
    const grade = gradeOf(outcome);
    if (outcome.final) this.finish(outcome.signal_id);
    if (grade !== 'neutral' || outcome.status === 'rejected') this.serve(outcome.worker_id, timeMs);
    if (grade === 'neutral' || (cleared && outcome.error_class === 'transient')) return null;
    if (outcome.dependency !== undefined) return this.checkDependencies(outcome.dependency, outcome.message);
    this.rotateTo(timeMs);
    const { slowMs } = this.settings;
    if (grade === 'good') {
      if (this.streak.attempts > 0) this.endStreak();
      if (this.failing.size > 0) this.failing.clear();
      if (slowMs === 0 || outcome.process_ms <= slowMs) {
        this.breaker.emit('fire');
        this.breaker.emit('success', undefined, outcome.process_ms);
        return null;
      }
    } else this.extendStreak(outcome, timeMs);
    this.failed.add(outcome, timeMs);
    this.countBad(whole && this.failed.count(timeMs - WINDOW_MS) >= this.minSignals);
    return grade === 'bad' ? this.checkFailure(outcome, timeMs) : this.checkWindow(timeMs);
  }

  /** opossum judges its window only on a failed call; an event it just counts. */
  private countBad(isJudged: boolean): void {
    if (isJudged) return void this.breaker.fire().catch(() => undefined);
    this.breaker.emit('fire');
    this.breaker.emit('failure', BAD, 0);
  }

  /** The equal defects that the record of the circuit has to hold when it changes. */
  defectsAt(timeMs: number): DefectRecords {
    return this.equalDefects.at(timeMs);
  }

  /** Stops the timers of opossum. */
  close(): void {
    this.breaker.shutdown();
  }

  private checkFailure(outcome: Outcome, timeMs: number): StopDecision | null {
    const latch = outcome.error_class === 'defect' ? this.equalDefects.add(outcome, timeMs) : null;
    if (latch && latch.signals >= this.settings.threshold) {
      const reason = `the same defect in ${latch.signals} signals: ${outcome.message}`;
      return { reason, latch };
    }
    if (this.isStreakLongEnough(timeMs)) {
      const { attempts, signals } = this.streak;
      const reason = `${attempts} failed attempts in a row, last: ${outcome.message}`;
      return { reason, ...listed(signals.unfinished()) };
    }
    return this.checkWindow(timeMs);
  }

  private extendStreak(outcome: Outcome, timeMs: number): void {
    const { signals, workers } = this.streak;
    this.streak.attempts += 1;
    signals.add(outcome, timeMs);
    if (workers.size < MIN_WORKERS) workers.add(outcome.worker_id);
  }

  private endStreak(): void {
    this.streak.attempts = 0;
    this.streak.signals.clear();
    this.streak.workers.clear();
  }

  /** One signal that keeps failing, or one worker among several, is not the line. */
  private isStreakLongEnough(timeMs: number): boolean {
    const { threshold } = this.settings;
    const { attempts, signals, workers } = this.streak;
    if (attempts < threshold || signals.count() < this.minSignals) return false;
    let serving = 0;
    for (const atMs of this.served.values()) if (atMs > timeMs - SERVED_MS) serving += 1;
    return workers.size >= Math.min(MIN_WORKERS, threshold, serving);
  }

  private finish(id: string): void {
    this.failed.finish(id);
    this.streak.signals.finish(id);
  }

  private serve(worker: string, timeMs: number): void {
    this.served.set(worker, timeMs);
    if (this.served.size <= MAX_WORKERS) return;
    for (const [name, atMs] of this.served) if (atMs <= timeMs - SERVED_MS) this.served.delete(name);
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

  private checkWindow(timeMs: number): StopDecision | null {
    if (!this.breaker.opened) return null;
    const { failures, fires } = this.breaker.stats;
    const { slowMs } = this.settings;
    const slow = slowMs > 0 ? ` or took longer than ${slowMs} ms` : '';
    const share = Math.round((100 * failures) / fires);
    const reason = `${share} % of ${fires} attempts within ${WINDOW_MS / 1000} s failed${slow}`;
    return { reason, ...listed(this.failed.unfinished(timeMs - WINDOW_MS)) };
  }

  private rotateTo(timeMs: number): void {
    const slot = Math.floor(timeMs / BUCKET_MS);
    for (let turns = Math.min(slot - this.slot, BUCKETS); turns > 0; turns -= 1) this.clock.emit('rotate');
    this.slot = Math.max(slot, this.slot);
  }
}

function listed(unfinished: string[]): Pick<StopDecision, 'unfinished'> {
  return unfinished.length > 0 ? { unfinished } : {};
}

function fail(): never {
  throw BAD;
}
