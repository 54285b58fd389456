import { type BackupDrainerVitals, METRICS } from '@tps/contracts';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Registers the metrics of the backup. Replicas report the same backlog: aggregate it with max, not sum. */
export function registerBackupMetrics(registry: Registry, vitals: () => BackupDrainerVitals): void {
  const registers = [registry];
  new Gauge({
    ...METRICS.backupSignals,
    registers,
    collect() {
      this.set(vitals().on_backup);
    },
  });
  new Gauge({
    ...METRICS.backupReachable,
    registers,
    collect() {
      this.set(vitals().reachable ? 1 : 0);
    },
  });
  counter(METRICS.backupReconciled, 'reconciled');
  counter(METRICS.backupDuplicates, 'duplicates_suppressed');

  function counter(
    facts: { name: string; help: string },
    figure: 'reconciled' | 'duplicates_suppressed',
  ): void {
    new Counter({
      ...facts,
      registers,
      collect() {
        this.reset();
        this.inc(vitals()[figure]);
      },
    });
  }
}
