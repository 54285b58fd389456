import type { DrainVitals } from '@tps/contracts';
import { Counter, Gauge, type Registry } from 'prom-client';

/** What this process knows of the backup. Summed over processes the waiting ones would count twice: take the highest. */
export function exposeBackup(registry: Registry, vitals: () => DrainVitals): void {
  const registers = [registry];
  new Gauge({
    name: 'tps_backup_signals',
    help: 'Signals that wait at RabbitMQ or are on their way from there into the queue',
    registers,
    collect() {
      this.set(vitals().on_backup);
    },
  });
  new Gauge({
    name: 'tps_backup_reachable',
    help: 'Connected to RabbitMQ: 1, otherwise 0',
    registers,
    collect() {
      this.set(vitals().reachable ? 1 : 0);
    },
  });
  counter('tps_backup_reconciled_total', 'Moved from the backup into the queue', 'reconciled');
  counter('tps_backup_duplicates_total', 'Already in the queue or finished', 'duplicates_suppressed');

  function counter(name: string, help: string, figure: 'reconciled' | 'duplicates_suppressed'): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(vitals()[figure]);
      },
    });
  }
}
