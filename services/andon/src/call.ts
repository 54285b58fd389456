import {
  type AndonCall,
  type AndonEvent,
  type AndonEventKind,
  type Colour,
  isUnanswered,
  type RequestOf,
  type ResolvedCall,
  type Retirement,
  type StopRecord,
  WIRE_VERSION,
} from '@tps/contracts';

/** When something is done to a line, and what its light shows then. */
export interface Moment {
  at: Date;
  light: Colour;
}

/** Why a line is to be called on. */
export interface Cause {
  id: string;
  rule: string;
  reason: string;
  by: string;
  mode: AndonCall['mode'];
  intake?: AndonCall['intake'];
  /** Milliseconds until an unacknowledged call becomes a stop; 0: never. */
  respondMs: number;
  fingerprint?: string;
  trace_id?: string;
}

const MAX_STOPS = 200;
const MAX_RESOLVED = 20;

export function untouched(line: string): StopRecord {
  return { v: WIRE_VERSION, line, stops: [], resolved: [], unlogged: [] };
}

/**
 * What to write again after the stops were lost. An open call stays open, unless it is known to have been resumed since:
 * a line that a person stopped must not run only because the broker forgot.
 */
export function restoreStop(remembered: StopRecord, found?: StopRecord): StopRecord | null {
  if (!found) return remembered;
  const { call, stops } = remembered;
  if (!call || found.call || found.resolved.some(({ id }) => id === call.id)) return null;
  return { ...found, call, stops };
}

/*
 * What can happen to the calls of a line. All pure: the same record, act and moment give the same answer, so that it
 * can be decided again when another replica was first. Each puts its event into the record; it is in the history once
 * the record is written.
 */

/** Opens a call; a line has one at a time, so a second cause joins the one that is open. */
export function called(record: StopRecord, cause: Cause, moment: Moment): StopRecord {
  const open = escalated(record, moment) ?? record;
  return open.call ? joined(open, open.call, cause, moment) : opened(open, cause, moment);
}

/**
 * Opens a call for a pull of the cord. If the call that the cause names was resumed meanwhile, the id is taken: a new call
 * under it could be neither acknowledged nor resumed.
 */
export function pulled(record: StopRecord, cause: Cause, spareId: string, moment: Moment): StopRecord {
  const isTaken = record.resolved.some(({ id }) => id === cause.id);
  return called(record, isTaken ? { ...cause, id: spareId } : cause, moment);
}

function opened(record: StopRecord, cause: Cause, { at, light }: Moment): StopRecord {
  const { id, rule, reason, by, mode, intake = 'refuse', respondMs, fingerprint, trace_id } = cause;
  const before = fingerprint ? record.resolved.filter((call) => call.fingerprint === fingerprint) : [];
  const recurrence_of = before.at(-1)?.id;
  const waits = mode === 'call' && respondMs > 0;
  const call: AndonCall = {
    ...{ id, line: record.line, mode, rule, reason, by, intake, opened_at: at.toISOString() },
    ...(waits ? { respond_by: new Date(at.getTime() + respondMs).toISOString() } : {}),
    ...(fingerprint ? { fingerprint } : {}),
    ...(trace_id ? { trace_id } : {}),
    ...(recurrence_of ? { recurrence_of } : {}),
    recurrences: before.length,
  };
  const next = mode === 'stop' ? stopped(record, at.toISOString()) : record;
  return logged({ ...next, call }, 'pulled', { at, light, by });
}

/** Whoever stops a line that somebody only called on, stops it; nobody undoes a stop by calling. */
function joined(record: StopRecord, call: AndonCall, cause: Cause, { at, light }: Moment): StopRecord {
  const { mode, intake = call.intake, reason, by } = cause;
  const stops = mode === 'stop' && call.mode === 'call';
  const next = stops ? stopped(record, at.toISOString()) : record;
  const changed: AndonCall = { ...call, mode: stops ? 'stop' : call.mode, intake, reason, by };
  return logged({ ...next, call: changed }, 'pulled', { at, light, by });
}

/** Names who looks after it; a second owner takes over. Null when this call is not open. */
export function acknowledged(
  record: StopRecord,
  { id, owner }: RequestOf<'acknowledge'>,
  moment: Moment,
): StopRecord | null {
  const now = escalated(record, moment) ?? record;
  if (now.call?.id !== id) return null;
  const acknowledged_at = now.call.acknowledged_at ?? moment.at.toISOString();
  return logged({ ...now, call: { ...now.call, owner, acknowledged_at } }, 'acknowledged', {
    ...moment,
    by: owner,
  });
}

/** The line runs again, as far as people are concerned. Null when this call is not open. */
export function resumed(
  record: StopRecord,
  { id, owner, countermeasure }: RequestOf<'resume'>,
  moment: Moment,
): StopRecord | null {
  const now = escalated(record, moment) ?? record;
  const { call, ...rest } = now;
  if (call?.id !== id) return null;
  const resumed_at = moment.at.toISOString();
  const kept = call.fingerprint ? { fingerprint: call.fingerprint } : {};
  const resolved: ResolvedCall = { id, owner, countermeasure, resumed_at, ...kept };
  const openedMs = Date.parse(call.opened_at);
  const answered = call.acknowledged_at ? Date.parse(call.acknowledged_at) : moment.at.getTime();
  const event = {
    ...{ countermeasure, owner },
    acknowledge_ms: answered - openedMs,
    restore_ms: moment.at.getTime() - openedMs,
  };
  const { unlogged } = logged(now, 'resumed', { ...moment, by: owner, more: event });
  return {
    ...rest,
    stops: now.stops.map(([from, to]) => [from, to ?? resumed_at]),
    resolved: [...now.resolved, resolved].slice(-MAX_RESOLVED),
    unlogged,
  };
}

/** The last event of a line whose type was retired. It has the id of what is open on the line, which it closes. */
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

/** Nobody acknowledged the call in time: the line has stood still since then. Null while there is time. */
export function escalated(record: StopRecord, { at, light }: Moment): StopRecord | null {
  const { call } = record;
  if (call?.mode !== 'call' || !call.respond_by || !isUnanswered(call, at.getTime())) return null;
  const next: AndonCall = { ...call, mode: 'stop', escalated_at: call.respond_by };
  return logged({ ...stopped(record, call.respond_by), call: next }, 'escalated', { at, light, by: 'andon' });
}

function stopped(record: StopRecord, since: string): StopRecord {
  return { ...record, stops: [...record.stops, [since] as [string]].slice(-MAX_STOPS) };
}

function logged(
  record: StopRecord,
  event: AndonEventKind,
  { at, light, by, more = {} }: Moment & { by: string; more?: Partial<AndonEvent> },
): StopRecord {
  const call = record.call as AndonCall;
  const shows: Colour = call.mode === 'stop' ? 'RED' : 'YELLOW';
  const item: AndonEvent = {
    ...{ v: WIRE_VERSION, id: call.id, event, at: at.toISOString(), line: call.line },
    // What a person does never makes a light better: that is for the rules to find.
    colour: light === 'RED' ? 'RED' : shows,
    was: light,
    ...{ rule: event === 'escalated' ? 'unanswered' : call.rule, reason: call.reason },
    ...(call.trace_id ? { trace_id: call.trace_id } : {}),
    by,
    ...(call.owner ? { owner: call.owner } : {}),
    ...(call.fingerprint ? { fingerprint: call.fingerprint } : {}),
    ...(call.recurrence_of ? { recurrence_of: call.recurrence_of, recurrences: call.recurrences } : {}),
    ...more,
  };
  return { ...record, unlogged: [...record.unlogged, item] };
}
