import type { BackupHoldings, RetireRefusal } from '@tps/contracts';

/** The facts that decide whether a type may be retired. */
export interface TypeFacts {
  type: string;
  /** Services without a living process that keep data of types. */
  missing: readonly string[];
  /** Living workers that serve the type. */
  workers: readonly string[];
  waiting: number;
  in_progress: number;
  /** Running redrive jobs that have dead letters of the type left. */
  redrives: readonly string[];
}

/** Decides, without effects, whether a type may be retired. @returns why not, or null if it may */
export function objectionTo(facts: TypeFacts): RetireRefusal | null {
  const { type, missing, workers, waiting, in_progress, redrives } = facts;
  if (workers.length > 0) {
    const reason = `${list(workers)} ${workers.length > 1 ? 'serve' : 'serves'} "${type}" and would announce it again: stop what serves it first`;
    return { refused: 'served', reason, workers: [...workers] };
  }
  if (waiting + in_progress > 0) {
    const reason = `${waiting} signals of "${type}" wait and ${in_progress} are in progress: cancel them, or start a worker and let it finish them`;
    return { refused: 'has_work', reason, waiting, in_progress };
  }
  if (redrives.length > 0) {
    const reason = `dead letters of "${type}" are being redriven by ${list(redrives)}: let it end, or cancel it`;
    return { refused: 'has_work', reason, redrives: [...redrives] };
  }
  if (missing.length > 0) return unavailable(`${list(missing)} does not answer: nothing was changed`);
  return null;
}

/** The same decision for the backup, from the counts of all kanban processes. The types of signals at RabbitMQ are unknown. */
export function backupObjectionTo(type: string, holdings: readonly BackupHoldings[]): RetireRefusal | null {
  if (holdings.length === 0) return null;
  const ofType = holdings.reduce((sum, { of_type }) => sum + of_type, 0);
  if (ofType > 0) {
    const reason = `${ofType} signals of "${type}" wait on the backup: let them be moved into the queue`;
    return { refused: 'has_work', reason, on_backup: ofType };
  }
  const answers = holdings.flatMap(({ waiting }) => waiting ?? []);
  if (answers.length === 0) {
    return unavailable(`RabbitMQ does not answer: signals of "${type}" may wait there; nothing was changed`);
  }
  const waiting = Math.max(...answers);
  if (waiting === 0) return null;
  const reason = `${waiting} signals wait on the backup, and some may be of "${type}": let them be moved into the queue`;
  return { refused: 'has_work', reason, on_backup: waiting };
}

export function unavailable(reason: string): RetireRefusal {
  return { refused: 'unavailable', reason };
}

function list(names: readonly string[]): string {
  return names.join(', ');
}
