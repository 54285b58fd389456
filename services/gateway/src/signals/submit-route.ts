import type { EnqueueRefusal, EnqueueVerdict } from '@tps/contracts';

export type Place = 'kanban' | 'backup';

export interface SubmitFacts {
  /** RabbitMQ is configured. */
  hasBackup: boolean;
  /** Backup mode is on: NATS or kanban failed lately (backup/backup-mode.ts). */
  backupMode: boolean;
  /** kanban is moving signals out of the backup, so a signal put there reaches its worker within moments. */
  backupDrains: boolean;
  /** Connected to NATS. */
  connected: boolean;
}

export interface SubmitRoute {
  /** The places to try, in this order. */
  places: readonly Place[];
  /** A signal that the backup takes counts as an outage of kanban, towards backup mode. */
  countsAsOutage: boolean;
}

/** Chooses between kanban and the backup for one new signal. Pure; the test has the table. */
export function submitRoute(facts: SubmitFacts): SubmitRoute {
  const places = placesFor(facts);
  return {
    places,
    // A signal that skips kanban says nothing about kanban, unless there was no way to ask it.
    countsAsOutage: places[0] === 'kanban' || !facts.connected,
  };
}

function placesFor({ hasBackup, backupMode, backupDrains }: SubmitFacts): Place[] {
  if (!hasBackup) return ['kanban'];
  // Asking a kanban that just failed costs each caller its time limit. It goes first again once it drains the backup.
  return backupMode && !backupDrains ? ['backup', 'kanban'] : ['kanban', 'backup'];
}

/** Tells that the signal is certainly not in kanban, for a reason that may be gone soon. */
export function isCertainOutage(verdict: EnqueueVerdict): boolean {
  return !verdict.ok && verdict.code === 'NO_BROKER' && verdict.accepted === false;
}

/** Tells whether the next place is tried after this one refused a signal. */
export function triesNext(place: Place, { code, accepted }: EnqueueRefusal): boolean {
  // Only an outage moves on: a full kanban and a stopped line are decisions, and the backup must not get round them.
  // A copy in kanban and one in the backup are one signal, but a backup that may have it already is enough.
  return place === 'kanban' ? code === 'NO_BROKER' : accepted === false;
}

/** The answer of RabbitMQ instead of a confirmation; `BackupPublishError` has this shape. */
export interface BackupFailure {
  message: string;
  arrived: false | 'unknown';
  full: boolean;
}

/** Combines why kanban does not have the signal with why the backup does not: 429 when the backup is full, otherwise 503. */
export function backupRefusal(kanban: EnqueueRefusal, backup: BackupFailure): EnqueueRefusal {
  const neverArrived = kanban.accepted === false && backup.arrived === false;
  if (backup.full && neverArrived) return { ...kanban, code: 'KANBAN_FULL', reason: backup.message };
  const reason = `${kanban.reason}, and ${backup.message}`;
  return { ...kanban, reason, accepted: neverArrived ? false : 'unknown' };
}

/** Combines the refusal by the backup with that of a kanban tried after it, which adds nothing while it is out of reach. */
export function afterBackup(backup: EnqueueRefusal, kanban: EnqueueRefusal): EnqueueRefusal {
  return isCertainOutage(kanban) ? backup : kanban;
}
