import { type Static, Type } from '@sinclair/typebox';
import { amended, count, list, nullable, number, oneOf, text, time } from './fields';
import { check, jsonOf, type Message } from './parse';
import { signalType } from './signal';
import { version } from './version';

/** The colours of a light, the best first. */
export const COLOURS = ['GREEN', 'YELLOW', 'RED'] as const;
/** A light: GREEN within the limits, YELLOW needs a look, RED stands still or fails. */
export type Colour = (typeof COLOURS)[number];
export const Colour = oneOf(COLOURS);

const CALL_MODES = ['call', 'stop'] as const;
const CallMode = oneOf(CALL_MODES, {
  description:
    '`call`: work goes on, and the line stops if nobody acknowledges in time; `stop`: it stops now',
});
const CallIntake = oneOf(['refuse', 'hold'], {
  description: '`hold`: signals with `Prefer: respond-async` are accepted and kept while the line is stopped',
});
const said = (description: string, maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: '\\S', description });
const LINE = 'A signal type, or `station:<service>`';

/**
 * A call for help on a line, by a person at the cord or by a rule. It is open until somebody resumes the line and says
 * what was done.
 */
export const AndonCall = Type.Object(
  {
    id: text('What acknowledging and resuming take'),
    line: text(LINE),
    mode: CallMode,
    rule: text('What made the call: `cord`, or the rule of a light or circuit'),
    reason: text('What is wrong'),
    by: text('Who called'),
    opened_at: time('When the call was made'),
    respond_by: Type.Optional(
      time('Not acknowledged by then, the call becomes a stop: by the clock alone, whatever service is away'),
    ),
    intake: CallIntake,
    owner: Type.Optional(text('Who looks after it')),
    acknowledged_at: Type.Optional(time('When somebody took it on')),
    escalated_at: Type.Optional(time('When it became a stop because nobody acknowledged')),
    countermeasure: Type.Optional(text('In the answer to resuming: what was done')),
    resumed_at: Type.Optional(time('In the answer to resuming: when the line was started again')),
    fingerprint: Type.Optional(text('Of the failure behind it')),
    trace_id: Type.Optional(text('The trace behind it')),
    recurrence_of: Type.Optional(
      text('The latest resumed call with the same fingerprint: its countermeasure did not hold'),
    ),
    recurrences: count('Calls with this fingerprint that were resumed before'),
  },
  { additionalProperties: true, description: 'A call for help on a line' },
);
export type AndonCall = Static<typeof AndonCall>;

/** A call that is over, as the line remembers it. */
const ResolvedCall = Type.Object({
  id: text("The call's id"),
  fingerprint: Type.Optional(text('Of the failure behind it')),
  owner: text('Who resumed the line'),
  countermeasure: text('What was done'),
  resumed_at: time('When'),
});
/** A call that a person has closed by resuming the line. */
export type ResolvedCall = Static<typeof ResolvedCall>;

const ANDON_EVENTS = ['changed', 'pulled', 'acknowledged', 'escalated', 'resumed', 'retired'] as const;
/**
 * `changed`: a rule changed the light. The others are what people did, or what followed because nobody did. `retired`
 * ends the history of a line, and whatever call is open on it.
 */
export type AndonEventKind = (typeof ANDON_EVENTS)[number];

/** One event of the stream ANDON, and one item of the history. */
export const AndonEvent = Type.Object(
  {
    v: version(),
    id: text(
      "The call's id, for acknowledging and resuming; of a light without a call, names the time since GREEN",
    ),
    event: oneOf(ANDON_EVENTS, { description: 'What happened' }),
    at: time('When'),
    line: text(LINE),
    colour: oneOf(COLOURS, { description: 'What the light shows since' }),
    was: oneOf(COLOURS, { description: 'What the light showed before' }),
    rule: text('The rule that gave the colour'),
    reason: text('Why, in words'),
    trace_id: Type.Optional(text('The trace behind it')),
    by: text('Who did it; `andon` for a rule'),
    owner: Type.Optional(text('Who looks after it')),
    countermeasure: Type.Optional(text('`resumed`: what was done')),
    fingerprint: Type.Optional(text('Of the failure behind it')),
    recurrence_of: Type.Optional(text('The earlier call with the same fingerprint')),
    recurrences: Type.Optional(count('Calls with this fingerprint that were resumed before')),
    acknowledge_ms: Type.Optional(number('`resumed`: milliseconds until the call had an owner')),
    restore_ms: Type.Optional(number('`resumed`: milliseconds until the line ran again')),
  },
  { additionalProperties: true },
);
export type AndonEvent = Static<typeof AndonEvent>;

/**
 * Reads an event of the stream ANDON. The version before knew changes of colour only, and did not say so.
 *
 * @throws MessageError
 */
export function parseAndonEvent(message: Message, what: string): AndonEvent {
  const value = jsonOf(message, what);
  const isOld = typeof value === 'object' && value !== null && !('event' in value);
  return check(AndonEvent, isOld ? { ...value, event: 'changed' } : value, what);
}

/** One time a line stood still. */
export type Stop = [from: string, to?: string];
export const Stop = Type.Unsafe<Stop>(
  Type.Array(time('When'), { minItems: 1, maxItems: 2, description: 'From, and to when it is over' }),
);

/**
 * What `tps_stops` holds of a line, under `stopKey`: the call that is open, and when people had the line stopped. andon
 * writes it, by compare-and-set; a line runs only if this record and its circuit both allow it.
 */
export const StopRecord = Type.Object({
  v: version(),
  line: text(LINE),
  call: Type.Optional(AndonCall),
  stops: list(Stop, 'The latest stops by people, oldest first'),
  resolved: list(ResolvedCall, 'The latest resumed calls, oldest first'),
  unlogged: list(AndonEvent, 'Events that the stream ANDON does not have yet: any replica appends them'),
});
export type StopRecord = Static<typeof StopRecord>;

/** gateway -> andon: somebody pulls the cord. */
export const PullRequest = Type.Object({
  signal_type: signalType('The line'),
  mode: CallMode,
  reason: said('What is wrong', 500),
  by: said('Who pulls the cord', 100),
  respond_within_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 86_400_000,
      description: 'How long a call waits for an owner, in milliseconds. Default: TPS_ANDON_RESPOND_MS',
    }),
  ),
  intake: Type.Optional(amended(CallIntake, { default: 'refuse' })),
});

/** gateway -> andon: somebody looks after a call. */
export const AcknowledgeRequest = Type.Object({ id: Type.String(), owner: said('Who looks after it', 100) });

/** gateway -> andon: somebody starts the line again. */
export const ResumeRequest = Type.Object({
  id: Type.String(),
  owner: said('Who starts the line again', 100),
  countermeasure: said('What was done about it', 1_000),
});

/** `unavailable`: it could not be done now, and nothing was changed. */
export const CallReply = Type.Union([
  Type.Object({ call: AndonCall }),
  Type.Object({ refused: oneOf(['not_found', 'closed', 'unavailable']), reason: text('Why, in words') }),
]);

/** andon -> jidoka: a person starts the line again, whatever its circuit says. */
export const ResumeCircuitRequest = Type.Object({
  signal_type: signalType('The line'),
  reason: text('By whom'),
});
export const ResumeCircuitReply = Type.Object({
  resumed: Type.Boolean({ description: 'The circuit is closed' }),
});

/** gateway -> andon: a page of the history, newest first. Every field narrows the choice. */
export const HistoryRequest = Type.Object({
  line: Type.Optional(text(LINE)),
  colour: Type.Optional(oneOf(COLOURS, { description: 'What the light shows since' })),
  event: Type.Optional(oneOf(ANDON_EVENTS, { description: 'What happened' })),
  rule: Type.Optional(Type.String({ minLength: 1, maxLength: 48, description: 'Which rule' })),
  id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Everything about one call' })),
  since: Type.Optional(time('Not before')),
  until: Type.Optional(time('Before')),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000, description: 'Items on a page. Default: TPS_ANDON_HISTORY' }),
  ),
  cursor: Type.Optional(Type.String({ description: '`next` of the page before' })),
});
export const HistoryReply = Type.Object({
  items: list(AndonEvent, 'Newest first'),
  next: nullable(Type.String(), '`cursor` of the next page; null on the last'),
});
