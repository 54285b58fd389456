import { randomUUID } from 'node:crypto';
import { type CircuitRecord, circuitState, type Outcome, WIRE_VERSION } from '@tps/contracts';
import { type Finding, type MonitorSettings, type Verdict, verdictOf } from './monitor';

export interface CircuitSettings extends MonitorSettings {
  /** The first pause, in milliseconds. */
  pauseMs: number;
}

const MAX_PAUSES = 8;
const MAX_STOPS = 50;
/** What a trial may take beyond its type's own time-out. */
const TRIAL_GRACE_MS = 10_000;
/** A new signal that was let in to be tried must reach a worker within this. */
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

/** What to write again after the circuits were lost: a line that failed must not run only because of that. */
export function newerCircuit(remembered: CircuitRecord, found?: CircuitRecord): CircuitRecord | null {
  return found && found.epoch >= remembered.epoch ? null : remembered;
}

/** A line of the log as the circuit sees it. */
export interface Step {
  outcome: Outcome;
  seq: number;
  at: Date;
  /** What the monitor of the line found with it. */
  finding: Finding | null;
}

/**
 * The circuit after an outcome, or null when it stays as it is. Pure: the same record, outcome and time give the same
 * answer on every replica.
 */
export function afterOutcome(
  record: CircuitRecord,
  step: Step,
  settings: CircuitSettings,
): CircuitRecord | null {
  const { outcome, seq, finding } = step;
  // A latched line knows only people.
  if (seq <= record.log_seq || (record.state === 'open' && record.latch)) return null;
  if (finding?.latch)
    return { ...opened(record, step, { reason: finding.reason, pauseMs: 0 }), latch: finding.latch };
  if (record.state === 'closed')
    return finding && opened(record, step, { ...finding, pauseMs: settings.pauseMs });
  // Stragglers of the time before the stop decide nothing: only the trial does.
  if (outcome.epoch === undefined || outcome.epoch !== record.epoch) return null;
  const verdict = trialVerdict(record, outcome);
  if (verdict === 'neutral') return { ...withoutTrial(record), log_seq: seq };
  if (verdict === 'good') {
    return {
      ...closed(record, { reason: 'the trial succeeded', seq, at: step.at }),
      trace_id: outcome.trace_id,
    };
  }
  const pauseMs = Math.min(record.pause_ms * 2, settings.pauseMs * MAX_PAUSES);
  const reason = `the trial failed: ${outcome.message}`;
  return opened(record, step, { reason, pauseMs, dependencies: record.dependencies });
}

/** A trial that failed because of one dependency says nothing of a line that stopped for another reason. */
function trialVerdict(record: CircuitRecord, outcome: Outcome): Verdict {
  const elsewhere = outcome.dependency !== undefined && !record.dependencies;
  return elsewhere ? 'neutral' : verdictOf(outcome);
}

/** The circuit after a person started the line again, or null when it runs. */
export function resumedCircuit(
  record: CircuitRecord,
  { reason, position, now }: { reason: string; position: number; now: Date },
): CircuitRecord | null {
  if (record.state === 'closed') return null;
  const seq = Math.max(record.log_seq, position);
  return closed(record, { reason, seq, at: now });
}

/** Lets one worker run one signal, or null when another trial is under way or the line is not half-open. */
export function grantTrial(
  record: CircuitRecord,
  { workerId, timeoutMs, now }: { workerId: string; timeoutMs: number; now: Date },
): CircuitRecord | null {
  if (
    circuitState(record, now.getTime()) !== 'HalfOpen' ||
    (record.trial?.worker_id && trialRuns(record, now))
  ) {
    return null;
  }
  const deadline = new Date(now.getTime() + timeoutMs + TRIAL_GRACE_MS).toISOString();
  return { ...record, epoch: record.epoch + 1, trial: { worker_id: workerId, deadline } };
}

/** Lets one new signal in, so that a half-open line with an empty queue has something to try. */
export function admitForTrial(record: CircuitRecord, id: string, now: Date): CircuitRecord | null {
  if (circuitState(record, now.getTime()) !== 'HalfOpen' || trialRuns(record, now)) return null;
  const deadline = new Date(now.getTime() + ADMITTED_MS).toISOString();
  return { ...record, trial: { admitted: id, deadline } };
}

function trialRuns({ trial }: CircuitRecord, now: Date): boolean {
  return trial !== undefined && Date.parse(trial.deadline) > now.getTime();
}

interface Why {
  reason: string;
  pauseMs: number;
  dependencies?: string[] | undefined;
}

function opened(
  record: CircuitRecord,
  { outcome, seq, at }: Step,
  { reason, pauseMs, dependencies }: Why,
): CircuitRecord {
  const stopped = record.state === 'open';
  const { until, dependencies: _before, ...before } = withoutTrial(record);
  const stops: CircuitRecord['stops'] = stopped ? record.stops : [...record.stops, [at.toISOString()]];
  return {
    ...before,
    state: 'open',
    epoch: record.epoch + 1,
    reason,
    since: stopped ? record.since : at.toISOString(),
    ...(pauseMs > 0 ? { until: new Date(at.getTime() + pauseMs).toISOString() } : {}),
    pause_ms: pauseMs,
    trace_id: outcome.trace_id,
    ...(outcome.fingerprint ? { fingerprint: outcome.fingerprint } : {}),
    ...(dependencies ? { dependencies } : {}),
    andon_id: record.andon_id ?? randomUUID(),
    log_seq: seq,
    stops: stops.slice(-MAX_STOPS),
  };
}

function closed(
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
