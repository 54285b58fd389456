import { FINAL_STATUSES, METRICS } from '@tps/contracts';
import type { LoggedOutcome } from '@tps/fleet';
import { Counter, Histogram, type Registry } from 'prom-client';

const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30];

/**
 * Counts outcomes for Prometheus. Outcomes that are read again at start do not count, since they would look like a burst
 * of work. Every replica counts every outcome: aggregate over replicas with max, not sum.
 */
export class KaizenMetrics {
  private readonly signals: Counter<'signal_type' | 'status'>;
  private readonly work: Histogram<'signal_type'>;
  private readonly wait: Histogram<'signal_type'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.signals = new Counter({
      ...METRICS.signals,
      registers,
    });
    const durations = { buckets: BUCKETS_S, registers };
    this.work = new Histogram({
      ...METRICS.signalWork,
      ...durations,
    });
    this.wait = new Histogram({
      ...METRICS.signalWait,
      ...durations,
    });
  }

  /** The type was retired: its series end. */
  forget(signal_type: string): void {
    for (const status of FINAL_STATUSES) this.signals.remove({ signal_type, status });
    for (const histogram of [this.work, this.wait]) histogram.remove({ signal_type });
  }

  count({ outcome, live, superseded }: LoggedOutcome): void {
    if (!live || superseded || !outcome.final) return;
    const { signal_type, status, process_ms, wait_ms } = outcome;
    this.signals.inc({ signal_type, status });
    if (status !== 'succeeded' && status !== 'failed') return;
    this.work.observe({ signal_type }, process_ms / 1_000);
    this.wait.observe({ signal_type }, wait_ms / 1_000);
  }
}
