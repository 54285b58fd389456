import { type CircuitRecord, isOpen, trialFromMs } from '@tps/contracts';

/** Time that a trial gets beyond the time-out of its type. */
const TRIAL_GRACE_MS = 10_000;
/** Time in which a new signal that was admitted for the trial must reach a worker. */
const ADMITTED_MS = 10_000;

export interface TrialClaim {
  workerId: string;
  timeoutMs: number;
  /** The signal failed in an earlier attempt or run. */
  failedBefore: boolean;
  now: Date;
}

/** Lets one worker run the trial. Null when the pause is not over for this signal, or another trial goes first. */
export function grantTrial(
  record: CircuitRecord,
  { workerId, timeoutMs, failedBefore, now }: TrialClaim,
): CircuitRecord | null {
  if (!mayTry(record, failedBefore, now)) return null;
  const pending = pendingTrial(record, now);
  if (pending && !mayTake(pending, failedBefore)) return null;
  const deadline = later(now, timeoutMs + TRIAL_GRACE_MS);
  return {
    ...record,
    epoch: record.epoch + 1,
    trial: trialOf({ worker_id: workerId, deadline }, failedBefore),
  };
}

/** Admits one new signal, so that a half-open line with an empty queue has something to try. */
export function admitForTrial(
  record: CircuitRecord,
  { id, failedBefore, now }: { id: string; failedBefore: boolean; now: Date },
): CircuitRecord | null {
  if (!mayTry(record, failedBefore, now)) return null;
  const pending = pendingTrial(record, now);
  if (pending && (failedBefore || !pending.failed_before)) return null;
  // The outcome of the trial that loses its place must decide nothing.
  const epoch = pending ? record.epoch + 1 : record.epoch;
  return {
    ...record,
    epoch,
    trial: trialOf({ admitted: id, deadline: later(now, ADMITTED_MS) }, failedBefore),
  };
}

type Trial = NonNullable<CircuitRecord['trial']>;

function trialOf(trial: Trial, failedBefore: boolean): Trial {
  return failedBefore ? { ...trial, failed_before: true } : trial;
}

/** A signal that never failed goes before one that did, and a signal at a worker before one that is still on its way. */
function mayTake(pending: Trial, failedBefore: boolean): boolean {
  if (failedBefore) return pending.failed_before === true && !pending.worker_id;
  return pending.failed_before === true || !pending.worker_id;
}

function mayTry(record: CircuitRecord, failedBefore: boolean, now: Date): boolean {
  return isOpen(record) && trialFromMs(record, failedBefore) <= now.getTime();
}

function pendingTrial({ trial }: CircuitRecord, now: Date): CircuitRecord['trial'] {
  return trial && Date.parse(trial.deadline) > now.getTime() ? trial : undefined;
}

export function later(from: Date, ms: number): string {
  return new Date(from.getTime() + ms).toISOString();
}
