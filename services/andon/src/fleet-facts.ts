import type { LostState, ServiceName } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { StationFacts } from './station-facts';

/** A process may take this long to become ready. */
const STARTING_MS = 10_000;

/** Dependencies that any worker leaves alone for handlers of this type, because they failed. */
export function failingOf(fleet: FleetView, type: string): string[] {
  return [...new Set(fleet.of('worker').flatMap(({ vitals }) => vitals.failing?.[type] ?? []))].sort();
}

/** Whether a living worker serves the type. */
export function isServed(fleet: FleetView, type: string): boolean {
  return fleet.of('worker').some(({ vitals }) => vitals.types.includes(type));
}

/** Handlers of the type that ignore their AbortSignal, over all workers. */
export function deafOf(fleet: FleetView, type: string): number {
  return fleet.of('worker').reduce((sum, { vitals }) => sum + (vitals.deaf[type] ?? 0), 0);
}

/** The processes of a service: how many are ready, not ready, or lost. */
export function replicaFacts(
  fleet: FleetView,
  service: ServiceName,
  nowMs: number,
): Pick<StationFacts, 'service' | 'up' | 'replicas' | 'unready' | 'lost'> {
  const processes = fleet.replicas(service);
  const replicas = processes.filter(({ ready }) => ready).length;
  const unready = processes.filter(({ ready, started_at }) => {
    return !ready && nowMs - Date.parse(started_at) > STARTING_MS;
  });
  return { service, up: replicas > 0, replicas, unready: unready.length, lost: fleet.lost(service) };
}

/** The state of the queue, the backup and the store of NATS, as kanban's processes tell it. */
export function queueFacts(fleet: FleetView): Pick<StationFacts, 'refuses' | 'backup'> & {
  lost_state: readonly LostState[];
} {
  return { ...refusal(fleet), lost_state: fleet.lostState(), backup: backup(fleet) };
}

/** The reason why no kanban process accepts signals, if none of them has a backup to drain either. */
function refusal(fleet: FleetView): { refuses?: string } {
  const kanbans = fleet.of('kanban').map(({ vitals }) => vitals);
  const reasons = kanbans.flatMap(({ refuses, backup }) => (backup?.reachable ? [] : (refuses ?? [])));
  return reasons[0] !== undefined && reasons.length === kanbans.length ? { refuses: reasons[0] } : {};
}

function backup(fleet: FleetView): { active: boolean; waiting: number } {
  const drains = fleet.of('kanban').flatMap(({ vitals }) => vitals.backup ?? []);
  // Signals that other programs put into the backup pass through within moments.
  const stuck = drains.filter(({ appends }) => !appends).map(({ on_backup }) => on_backup);
  const active = fleet.of('gateway').some(({ vitals }) => vitals.backup?.active);
  const waiting = active ? drains.map(({ on_backup }) => on_backup) : stuck;
  return { active, waiting: Math.max(0, ...waiting) };
}
