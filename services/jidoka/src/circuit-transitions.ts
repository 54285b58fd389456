import { type CircuitRecord, isOpen, type Outcome, trialFromMs, WIRE_VERSION } from '@tps/contracts';
import type { DefectRecords } from './equal-defects';
import { MAX_UNFINISHED } from './failed-signals';
import { gradeOf, type MonitorSettings, type OutcomeGrade, type StopDecision } from './line-monitor';
import { later } from './trials';

export interface CircuitSettings extends MonitorSettings {
  /** The first pause before a trial, in milliseconds. Each failed trial doubles it. */
  pauseMs: number;
}

/** The longest pause, in multiples of the first one. */
const MAX_PAUSE_FACTOR = 8;
const MAX_STOPS = 50;

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
  /** The equal defects that the monitor has counted, this outcome included. */
  defects: DefectRecords;
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
  // Only a person closes a latched circuit.
  if (step.seq <= record.log_seq || record.latch) return null;
  const next = transition(record, step, settings);
  if (next?.log_seq !== step.seq) return next;
  // The next monitor begins behind this outcome, so the record carries the count on. A latch has used it up.
  const { defects: _before, ...rest } = next;
  return step.defects.length > 0 && !next.latch ? { ...rest, defects: step.defects } : rest;
}

function transition(
  record: CircuitRecord,
  step: OutcomeStep,
  settings: CircuitSettings,
): CircuitRecord | null {
  const { decision } = step;
  if (decision?.latch) return openCircuit(record, step, { ...decision, pauseMs: 0 });
  if (!isOpen(record)) {
    if (!decision) return afterEnd(record, step);
    const unfinished = together(decision.unfinished, record.unfinished);
    return openCircuit(record, step, { ...decision, unfinished, pauseMs: settings.pauseMs });
  }
  const tried = afterTrial(record, step, settings);
  return afterEnd(tried ?? record, step) ?? tried;
}

/** The open circuit after the outcome of its trial; null when the outcome is of another signal. */
function afterTrial(
  record: CircuitRecord,
  step: OutcomeStep,
  settings: CircuitSettings,
): CircuitRecord | null {
  const { outcome, seq, at } = step;
  // Signals that started before the stop still end; only the outcome of the trial decides.
  if (outcome.epoch === undefined || outcome.epoch !== record.epoch) return null;
  const grade = trialGrade(record, outcome);
  if (grade === 'neutral') return { ...withoutTrial(record), log_seq: seq };
  if (grade === 'good') {
    const closed = closeCircuit(record, { reason: 'the trial succeeded', seq, at });
    // Where work that never failed succeeds, the signals that stopped the line are the cause of their failures.
    const { trial, unfinished } = record;
    const cleared = !trial?.failed_before && unfinished ? { unfinished } : {};
    return { ...closed, ...cleared, trace_id: outcome.trace_id };
  }
  if (record.trial?.failed_before) return postponeFailed(record, step, settings);
  const { dependencies } = record;
  const pauseMs = nextPauseMs(record.pause_ms, settings);
  const reason = `the trial failed: ${outcome.message}`;
  return openCircuit(record, step, { reason, pauseMs, dependencies, unfinished: suspects(record, outcome) });
}

/** A signal that failed before says little about the line: its failed trial holds back only such signals. */
function postponeFailed(
  record: CircuitRecord,
  { outcome, seq, at }: OutcomeStep,
  settings: CircuitSettings,
): CircuitRecord {
  const pauseMs = nextPauseMs(record.failed_before?.pause_ms ?? record.pause_ms, settings);
  return {
    ...withoutTrial(record),
    epoch: record.epoch + 1,
    reason: `the trial of a signal that failed before failed again: ${outcome.message}`,
    failed_before: { until: later(at, pauseMs), pause_ms: pauseMs },
    trace_id: outcome.trace_id,
    log_seq: seq,
  };
}

/** The signal of a failed trial joins those that may be the cause; with too many of them, something else is. */
function suspects({ unfinished }: CircuitRecord, { signal_id, final }: Outcome): string[] | undefined {
  if (!unfinished || final || unfinished.includes(signal_id)) return unfinished;
  return unfinished.length < MAX_UNFINISHED ? [...unfinished, signal_id] : undefined;
}

function together(opened: string[] | undefined, cleared: string[] = []): string[] | undefined {
  const all = [...new Set([...(opened ?? []), ...cleared])];
  return opened && all.length <= MAX_UNFINISHED ? all : undefined;
}

/**
 * The circuit after the end of one of the signals that opened it. When the last of them is gone, what is left may be
 * sound, so a trial may run at once. An attempt that started before the stop and failed for good is no such sign.
 */
function afterEnd(record: CircuitRecord, { outcome, at }: OutcomeStep): CircuitRecord | null {
  const { unfinished, ...rest } = record;
  if (!outcome.final || !unfinished?.includes(outcome.signal_id)) return null;
  const left = unfinished.filter((id) => id !== outcome.signal_id);
  if (left.length > 0) return { ...rest, unfinished: left };
  if (!isOpen(record)) return rest;
  const isGone =
    outcome.status === 'cancelled' || outcome.status === 'expired' || outcome.epoch !== undefined;
  const isPausing = trialFromMs(record, false) > at.getTime();
  return isGone && isPausing ? { ...rest, until: at.toISOString() } : rest;
}

function nextPauseMs(pauseMs: number, settings: CircuitSettings): number {
  return Math.min(pauseMs * 2, settings.pauseMs * MAX_PAUSE_FACTOR);
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

interface Opening extends Pick<StopDecision, 'reason' | 'latch'> {
  /** 0 when only a person closes the circuit. */
  pauseMs: number;
  dependencies?: string[] | undefined;
  unfinished?: string[] | undefined;
}

function openCircuit(
  record: CircuitRecord,
  { outcome, seq, at, andonId }: OutcomeStep,
  { reason, pauseMs, latch, dependencies, unfinished }: Opening,
): CircuitRecord {
  const wasOpen = isOpen(record);
  const { until, dependencies: _before, unfinished: _suspects, ...before } = withoutTrial(record);
  const stops: CircuitRecord['stops'] = wasOpen ? record.stops : [...record.stops, [at.toISOString()]];
  return {
    ...before,
    state: 'open',
    epoch: record.epoch + 1,
    reason,
    since: wasOpen ? record.since : at.toISOString(),
    ...(pauseMs > 0 ? { until: later(at, pauseMs) } : {}),
    pause_ms: pauseMs,
    trace_id: outcome.trace_id,
    ...(outcome.fingerprint ? { fingerprint: outcome.fingerprint } : {}),
    ...(dependencies ? { dependencies } : {}),
    ...(unfinished ? { unfinished } : {}),
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
  const { until, latch, andon_id, dependencies, failed_before, unfinished, defects, ...rest } =
    withoutTrial(record);
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
