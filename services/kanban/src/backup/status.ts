import type { BackupStatus, BackupDrainerVitals } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';

const NOTHING: BackupDrainerVitals = {
  reachable: false,
  appends: true,
  on_backup: 0,
  reconciled: 0,
  duplicates_suppressed: 0,
};

/** The backup as all kanban processes together see it: only one of them is given anything, and each counts its own. */
export function backupStatus(fleet: FleetView, instance: string, own?: BackupDrainerVitals): BackupStatus {
  const beats = fleet.of('kanban').filter((beat) => beat.instance !== instance);
  const drains = [own, ...beats.map(({ vitals }) => vitals.backup)].filter((vitals) => vitals !== undefined);
  const gateways = fleet.of('gateway');
  const total = drains.reduce(
    (sum, vitals) => ({
      ...sum,
      reachable: sum.reachable || vitals.reachable,
      // The others see what waits at RabbitMQ, not what the one has in hand.
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
