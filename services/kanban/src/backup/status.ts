import type { BackupStatus, BackupDrainerVitals } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';

const NOTHING: BackupDrainerVitals = {
  reachable: false,
  appends: true,
  on_backup: 0,
  reconciled: 0,
  duplicates_suppressed: 0,
};

/** Computes the state of the backup over all replicas. Only one of them gets messages, and each counts its own. */
export function backupStatus(fleet: FleetView, instance: string, own?: BackupDrainerVitals): BackupStatus {
  const beats = fleet.of('kanban').filter((beat) => beat.instance !== instance);
  const drains = [own, ...beats.map(({ vitals }) => vitals.backup)].filter((vitals) => vitals !== undefined);
  const gateways = fleet.of('gateway');
  const total = drains.reduce(
    (sum, vitals) => ({
      ...sum,
      reachable: sum.reachable || vitals.reachable,
      // The other replicas see the messages at RabbitMQ, but not those that were delivered.
      on_backup: Math.max(sum.on_backup, vitals.on_backup),
      reconciled: sum.reconciled + vitals.reconciled,
      duplicates_suppressed: sum.duplicates_suppressed + vitals.duplicates_suppressed,
    }),
    NOTHING,
  );
  const { appends: _appends, ...counts } = total;
  const active = gateways.some(({ vitals }) => vitals.backup?.active);
  return { configured: drains.length > 0, active, ...counts };
}
