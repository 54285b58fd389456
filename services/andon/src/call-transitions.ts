import {
  type AndonCall,
  type AndonEvent,
  type Colour,
  DEFAULT_ETA_MS,
  type RequestOf,
  type ResolvedCall,
  type Retirement,
  type StopRecord,
  WIRE_VERSION,
} from '@tps/contracts';
import { withEvent, type Occasion, withStop } from './call-events';
import { afterDeadlines } from './deadlines';
import { recurrenceOf, topicOf } from './recurrence';

/** Why andon makes a call on a line. */
export interface CallCause {
  id: string;
  rule: string;
  reason: string;
  by: string;
  mode: AndonCall['mode'];
  intake?: AndonCall['intake'];
  /** Milliseconds until an unacknowledged call escalates; 0: never. */
  respondMs: number;
  /** A call that never stops the line, and that closes by itself. */
  automatic?: true;
  fingerprint?: string;
  trace_id?: string;
  /** The state of the circuit that the event tells, see `AndonEvent`. */
  circuit?: string;
}

const MAX_RESOLVED = 20;
const MAX_PULLS = 20;

/** The record of a line on which nobody ever called. */
export function emptyStopRecord(line: string): StopRecord {
  return { v: WIRE_VERSION, line, stops: [], resolved: [], unlogged: [] };
}

/**
 * The record to write again after the stops were lost. An open call stays open, unless it is known to have been resumed
 * since: a line that a person stopped must not run only because the broker forgot.
 */
export function restoreStop(remembered: StopRecord, found?: StopRecord): StopRecord | null {
  if (!found) return remembered;
  const { call, stops } = remembered;
  if (!call || found.call || found.resolved.some(({ id }) => id === call.id)) return null;
  return { ...found, call, stops };
}

/*
 * How a call changes. All functions are pure: the same record, act and occasion give the same answer, so the caller can
 * decide again when another replica was first. Each function puts its event into the record; the history has it once the
 * record is written.
 */

/** Opens a call. A line has one at a time, so a second cause joins the open one. */
export function openCall(record: StopRecord, cause: CallCause, occasion: Occasion): StopRecord {
  const now = afterDeadlines(record, occasion) ?? record;
  return now.call ? joinCall(now, now.call, cause, occasion) : newCall(now, cause, occasion);
}

/**
 * Opens a call for a pull of the cord. If the call that the cause names was resumed meanwhile, the id is taken: a new
 * call under it could be neither acknowledged nor resumed.
 */
export function pullCord(
  record: StopRecord,
  cause: CallCause,
  spareId: string,
  occasion: Occasion,
): StopRecord {
  const isTaken = record.resolved.some(({ id }) => id === cause.id);
  return openCall(record, isTaken ? { ...cause, id: spareId } : cause, occasion);
}

function newCall(record: StopRecord, cause: CallCause, occasion: Occasion): StopRecord {
  const { id, rule, reason, by, mode, intake = 'refuse', respondMs, fingerprint, trace_id } = cause;
  const at = occasion.at.toISOString();
  const call: AndonCall = {
    ...{ id, line: record.line, mode, rule, reason, by, intake, opened_at: at },
    pulls: [{ by, reason, mode, at }],
    ...(cause.automatic ? { automatic: true } : {}),
    ...timeToRespond(cause, occasion.at),
    ...(fingerprint ? { fingerprint } : {}),
    ...(trace_id ? { trace_id } : {}),
    ...recurrenceOf(record, topicOf({ rule, reason, ...(fingerprint ? { fingerprint } : {}) })),
    ...(respondMs > 0 ? { level: 0 } : {}),
  };
  const next = mode === 'stop' ? withStop(record, at) : record;
  const more = cause.circuit ? { circuit: cause.circuit } : {};
  return withEvent({ ...next, call }, 'pulled', { ...occasion, by, more });
}

/** Only a call by people becomes a stop: a line must not stop because nobody heard a machine. */
function timeToRespond(
  { mode, respondMs, automatic }: CallCause,
  at: Date,
): Pick<AndonCall, 'respond_by' | 'respond_ms' | 'unanswered_since'> {
  if (respondMs === 0) return {};
  const stopsAt = new Date(at.getTime() + respondMs).toISOString();
  return {
    ...(mode === 'call' && !automatic ? { respond_by: stopsAt } : {}),
    respond_ms: respondMs,
    unanswered_since: at.toISOString(),
  };
}

/**
 * A second cause joins the open call. The first reason stays. A pull with mode `stop` stops the line; a pull with mode
 * `call` never undoes a stop. A person who joins an automatic call makes it a call by people, with a new time to respond.
 */
function joinCall(record: StopRecord, call: AndonCall, cause: CallCause, occasion: Occasion): StopRecord {
  const { mode, intake = call.intake, reason, by } = cause;
  const at = occasion.at.toISOString();
  const stops = mode === 'stop' && call.mode === 'call';
  const { automatic, respond_by, pulls = [firstPull(call)], ...rest } = call;
  const isAdopted = automatic === true && !cause.automatic;
  const restarts = isAdopted && !call.acknowledged_at;
  const changed: AndonCall = {
    ...rest,
    mode: stops ? 'stop' : call.mode,
    intake,
    pulls: bounded([...pulls, { by, reason, mode, at }]),
    ...(automatic && !isAdopted ? { automatic } : {}),
    ...(respond_by && !stops ? { respond_by } : {}),
    ...(restarts ? { ...timeToRespond(cause, occasion.at), level: 0 } : {}),
  };
  const next = stops ? withStop(record, at) : record;
  return withEvent({ ...next, call: changed }, 'pulled', {
    ...occasion,
    by,
    more: { rule: cause.rule, reason },
  });
}

/** The pull behind a call that the version before opened. */
function firstPull({ by, reason, mode, opened_at }: AndonCall): NonNullable<AndonCall['pulls']>[number] {
  return { by, reason, mode, at: opened_at };
}

function bounded<T>(items: T[]): T[] {
  return items.length > MAX_PULLS ? [...items.slice(0, 1), ...items.slice(1 - MAX_PULLS)] : items;
}

/** Names the person who looks after the call; a second owner takes over. Null when this call is not open. */
export function acknowledgeCall(
  record: StopRecord,
  { id, owner, eta_ms = DEFAULT_ETA_MS }: RequestOf<'acknowledge'>,
  occasion: Occasion,
): StopRecord | null {
  const now = afterDeadlines(record, occasion) ?? record;
  if (now.call?.id !== id) return null;
  const at = occasion.at.toISOString();
  const call: AndonCall = {
    ...now.call,
    owner,
    acknowledged_at: now.call.acknowledged_at ?? at,
    first_acknowledged_at: now.call.first_acknowledged_at ?? now.call.acknowledged_at ?? at,
    eta: new Date(occasion.at.getTime() + eta_ms).toISOString(),
  };
  return withEvent({ ...now, call }, 'acknowledged', { ...occasion, by: owner });
}

/** The line runs again, as far as people are concerned. Null when this call is not open. */
export function resumeCall(
  record: StopRecord,
  { id, owner, countermeasure }: RequestOf<'resume'>,
  occasion: Occasion & { forced?: boolean },
): StopRecord | null {
  const now = afterDeadlines(record, occasion) ?? record;
  const { call, ...rest } = now;
  if (call?.id !== id) return null;
  const resumed_at = occasion.at.toISOString();
  const openedMs = Date.parse(call.opened_at);
  const answered = call.first_acknowledged_at ?? call.acknowledged_at;
  const resolved: ResolvedCall = {
    ...{ id, owner, countermeasure, resumed_at, about: topicOf(call) },
    ...(call.fingerprint ? { fingerprint: call.fingerprint } : {}),
  };
  const more = {
    ...{ countermeasure, owner },
    ...(occasion.forced ? { forced: true } : {}),
    ...(answered ? { acknowledge_ms: Date.parse(answered) - openedMs } : {}),
    restore_ms: occasion.at.getTime() - openedMs,
  };
  const { unlogged } = withEvent(now, 'resumed', { ...occasion, by: owner, more });
  return {
    ...rest,
    stops: now.stops.map(([from, to]) => [from, to ?? resumed_at]),
    resolved: [...now.resolved, resolved].slice(-MAX_RESOLVED),
    unlogged,
  };
}

/** Ends an automatic call because its line is no longer RED. The line never stood still for it. */
export function closeCall(record: StopRecord, occasion: Occasion): StopRecord | null {
  const now = afterDeadlines(record, occasion) ?? record;
  const { call } = now;
  if (!call?.automatic || call.acknowledged_at) return null;
  const reason = `the line is ${occasion.light} again, and nobody had acknowledged the call: ${call.reason}`;
  const { call: _over, ...rest } = withEvent(now, 'closed', {
    ...occasion,
    by: 'andon',
    more: { reason, colour: occasion.light },
  });
  return rest;
}

/** The last event of a line whose type was retired. It has the id of the open call of the line, and closes it. */
export function retirementEvent(
  line: string,
  { id, by, reason = 'the type was retired', at }: Retirement,
  { call, id: openId, was }: { call: AndonCall | undefined; id: string | undefined; was: Colour },
): AndonEvent {
  return {
    ...{ v: WIRE_VERSION, id: call?.id ?? openId ?? id, event: 'retired', at, line, colour: 'GREEN', was },
    ...{ rule: 'retired', reason, by },
    ...(call?.trace_id ? { trace_id: call.trace_id } : {}),
    ...(call?.fingerprint ? { fingerprint: call.fingerprint } : {}),
  };
}
