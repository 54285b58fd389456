import { type CircuitRecord, circuitState, isOpen, type Outcome, WIRE_VERSION } from '@tps/contracts';
import { gradeOf, type MonitorSettings, type OutcomeGrade, type StopDecision } from './line-monitor';

export interface CircuitSettings extends MonitorSettings {
  /** The first pause before a trial, in milliseconds. Each failed trial doubles it. */
  pauseMs: number;
}

/** The longest pause, in multiples of the first one. */
const MAX_PAUSE_FACTOR = 8;
const MAX_STOPS = 50;
/** Time that a trial gets beyond the time-out of its type. */
const TRIAL_GRACE_MS = 10_000;
/** Time in which a new signal that was admitted for the trial must reach a worker. */
const ADMITTED_MS = 10_000;

export function closedCircuit(type: string, now: Date): CircuitRecord {
  return {
    v: WIRE_VERSION,
    signal_type: type,
    state: 'closed',
    epoch: 0,
    reason: 'never stopped',
    since: now.toISOString(),
    pause_ms: 0,
    log_seq: 0,
    stops: [],
  };
}

/** The record to write after the broker lost the bucket: a line that failed must not run only because of that. */
export function newerCircuit(remembered: CircuitRecord, found?: CircuitRecord): CircuitRecord | null {
  return found && found.epoch >= remembered.epoch ? null : remembered;
}

/** The log of outcomes that jidoka follows, and the last sequence of it that was seen. */
export interface FollowedLog {
  created: string;
  lastSeq: number;
}

/** The circuit as it stands in a log: how far it accounted for another log says nothing about this one. */
export function inLog(record: CircuitRecord, { created, lastSeq }: FollowedLog): CircuitRecord {
  // Before circuits named their log, only a position that the log does not have told that it was another one.
  const isOther = record.log === undefined ? record.log_seq > lastSeq : record.log !== created;
  return isOther ? { ...record, log: created, log_seq: 0 } : record;
}

/** One outcome of the log, with everything that the transition depends on. */
export interface OutcomeStep {
  outcome: Outcome;
  seq: number;
  at: Date;
  /** The decision of the line's monitor on this outcome. */
  decision: StopDecision | null;
  /** The id under which people acknowledge or resume the line, should this outcome open its circuit. */
  andonId: string;
}

/**
 * The circuit after an outcome, or null when it stays as it is. Pure: the same record, step and settings give the same
 * circuit on every replica.
 */
export function afterOutcome(
  record: CircuitRecord,
  step: OutcomeStep,
  settings: CircuitSettings,
): CircuitRecord | null {
  const { outcome, seq, decision } = step;
  // Only a person closes a latched circuit.
  if (seq <= record.log_seq || record.latch) return null;
  if (decision?.latch) return openCircuit(record, step, { ...decision, pauseMs: 0 });
  if (!isOpen(record)) {
    return decision && openCircuit(record, step, { ...decision, pauseMs: settings.pauseMs });
  }
  // Signals that started before the stop still end; only the outcome of the trial decides.
  if (outcome.epoch === undefined || outcome.epoch !== record.epoch) return null;
  const grade = trialGrade(record, outcome);
  if (grade === 'neutral') return { ...withoutTrial(record), log_seq: seq };
  if (grade === 'good') {
    const closed = closeCircuit(record, { reason: 'the trial succeeded', seq, at: step.at });
    return { ...closed, trace_id: outcome.trace_id };
  }
  const pauseMs = Math.min(record.pause_ms * 2, settings.pauseMs * MAX_PAUSE_FACTOR);
  const reason = `the trial failed: ${outcome.message}`;
  return openCircuit(record, step, { reason, pauseMs, dependencies: record.dependencies });
}

/** A trial that failed because of one dependency says nothing about a line that stopped for another reason. */
function trialGrade(record: CircuitRecord, outcome: Outcome): OutcomeGrade {
  const isUnrelated = outcome.dependency !== undefined && !record.dependencies;
  return isUnrelated ? 'neutral' : gradeOf(outcome);
}

/** The circuit after a person resumed the line, or null when it is closed. */
export function resumedCircuit(
  record: CircuitRecord,
  { reason, position, now }: { reason: string; position: number; now: Date },
): CircuitRecord | null {
  if (!isOpen(record)) return null;
  return closeCircuit(record, { reason, seq: Math.max(record.log_seq, position), at: now });
}

/** Lets one worker run the trial. Null when a worker runs one already, or the circuit is not half-open. */
export function grantTrial(
  record: CircuitRecord,
  { workerId, timeoutMs, now }: { workerId: string; timeoutMs: number; now: Date },
): CircuitRecord | null {
  if (circuitState(record, now.getTime()) !== 'HalfOpen') return null;
  if (record.trial?.worker_id && isTrialPending(record, now)) return null;
  const deadline = new Date(now.getTime() + timeoutMs + TRIAL_GRACE_MS).toISOString();
  return { ...record, epoch: record.epoch + 1, trial: { worker_id: workerId, deadline } };
}

/** Admits one new signal, so that a half-open line with an empty queue has something to try. */
export function admitForTrial(record: CircuitRecord, id: string, now: Date): CircuitRecord | null {
  if (circuitState(record, now.getTime()) !== 'HalfOpen' || isTrialPending(record, now)) return null;
  const deadline = new Date(now.getTime() + ADMITTED_MS).toISOString();
  return { ...record, trial: { admitted: id, deadline } };
}

function isTrialPending({ trial }: CircuitRecord, now: Date): boolean {
  return trial !== undefined && Date.parse(trial.deadline) > now.getTime();
}

interface Opening extends Pick<StopDecision, 'reason' | 'latch'> {
  /** 0 when only a person closes the circuit. */
  pauseMs: number;
  dependencies?: string[] | undefined;
}

function openCircuit(
  record: CircuitRecord,
  { outcome, seq, at, andonId }: OutcomeStep,
  { reason, pauseMs, latch, dependencies }: Opening,
): CircuitRecord {
  const wasOpen = isOpen(record);
  const { until, dependencies: _before, ...before } = withoutTrial(record);
  const stops: CircuitRecord['stops'] = wasOpen ? record.stops : [...record.stops, [at.toISOString()]];
  return {
    ...before,
    state: 'open',
    epoch: record.epoch + 1,
    reason,
    since: wasOpen ? record.since : at.toISOString(),
    ...(pauseMs > 0 ? { until: new Date(at.getTime() + pauseMs).toISOString() } : {}),
    pause_ms: pauseMs,
    trace_id: outcome.trace_id,
    ...(outcome.fingerprint ? { fingerprint: outcome.fingerprint } : {}),
    ...(dependencies ? { dependencies } : {}),
    ...(latch ? { latch } : {}),
    andon_id: record.andon_id ?? andonId,
    log_seq: seq,
    stops: stops.slice(-MAX_STOPS),
  };
}

function closeCircuit(
  record: CircuitRecord,
  { reason, seq, at }: { reason: string; seq: number; at: Date },
): CircuitRecord {
  const { until, latch, andon_id, dependencies, ...rest } = withoutTrial(record);
  return {
    ...rest,
    state: 'closed',
    epoch: record.epoch + 1,
    reason,
    since: at.toISOString(),
    pause_ms: 0,
    log_seq: seq,
    stops: record.stops.map(([from, to]) => [from, to ?? at.toISOString()]),
  };
}

function withoutTrial(record: CircuitRecord): CircuitRecord {
  const { trial, ...rest } = record;
  return rest;
}
