import {
  type AndonCall,
  type AndonEvent,
  type AndonEventKind,
  type Colour,
  type StopRecord,
  WIRE_VERSION,
} from '@tps/contracts';

/** When something happens to a line, and what its light shows then. */
export interface Occasion {
  at: Date;
  light: Colour;
}

type EventFacts = Occasion & { by: string; more?: Partial<AndonEvent> };

/** The version before cannot read a record whose `unlogged` has one of these. */
const LATER_KINDS: readonly AndonEventKind[] = ['overdue', 'closed'];

const MAX_STOPS = 200;

/** Adds a stop to the record of a line; the oldest one goes when there are too many. */
export function withStop(record: StopRecord, since: string): StopRecord {
  return { ...record, stops: [...record.stops, [since] as [string]].slice(-MAX_STOPS) };
}

/** Puts an event about the open call into the record. The stream ANDON gets it from there. */
export function withEvent(record: StopRecord, event: AndonEventKind, facts: EventFacts): StopRecord {
  const item = eventOf(record.call as AndonCall, event, facts);
  return LATER_KINDS.includes(event)
    ? { ...record, unlogged_more: [...(record.unlogged_more ?? []), item] }
    : { ...record, unlogged: [...record.unlogged, item] };
}

function eventOf(
  call: AndonCall,
  event: AndonEventKind,
  { at, light, by, more = {} }: EventFacts,
): AndonEvent {
  const shows: Colour = call.mode === 'stop' ? 'RED' : 'YELLOW';
  return {
    ...{ v: WIRE_VERSION, id: call.id, event, at: at.toISOString(), line: call.line },
    // An act of a person never makes a light better: only the rules do.
    colour: light === 'RED' ? 'RED' : shows,
    // `AndonLog` replaces it by the colour of the event before.
    was: light,
    ...{ rule: event === 'escalated' ? 'unanswered' : call.rule, reason: call.reason },
    ...(call.trace_id ? { trace_id: call.trace_id } : {}),
    by,
    ...(call.owner ? { owner: call.owner } : {}),
    ...(event === 'acknowledged' && call.eta ? { eta: call.eta } : {}),
    ...(call.fingerprint ? { fingerprint: call.fingerprint } : {}),
    ...(call.recurrence_of ? { recurrence_of: call.recurrence_of, recurrences: call.recurrences } : {}),
    ...(call.last_countermeasure ? { last_countermeasure: call.last_countermeasure } : {}),
    ...more,
  };
}

/** The events of a record that the stream ANDON does not have yet, oldest first. */
export function pendingEvents({ unlogged, unlogged_more = [] }: StopRecord): AndonEvent[] {
  const events = [...unlogged, ...unlogged_more];
  return unlogged_more.length === 0 ? events : events.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** The record without the events that the stream has by now; null if it has none of them. */
export function withoutPublished(record: StopRecord, published: readonly AndonEvent[]): StopRecord | null {
  const keys = new Set(published.map(eventKey));
  const isLeft = (event: AndonEvent): boolean => !keys.has(eventKey(event));
  const { unlogged_more, ...rest } = record;
  const unlogged = record.unlogged.filter(isLeft);
  const more = unlogged_more?.filter(isLeft) ?? [];
  if (unlogged.length + more.length === pendingEvents(record).length) return null;
  return { ...rest, unlogged, ...(more.length > 0 ? { unlogged_more: more } : {}) };
}

/** Names an event of a call: the same event has the same key, whichever replica writes it, however often. */
export function eventKey({ id, event, at }: AndonEvent): string {
  return `${id}:${event}:${at}`;
}
