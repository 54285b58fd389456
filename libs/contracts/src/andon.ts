import { type Static, Type } from '@sinclair/typebox';
import { amended, count, list, ms, nullable, number, oneOf, text, time } from './fields';
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

/** Default ETA of an acknowledgement, in milliseconds. */
export const DEFAULT_ETA_MS = 1_800_000;

/** One pull of the cord, or the rule that called. */
const Pull = Type.Object({
  by: text('The person who called'),
  reason: text('The problem, in words'),
  mode: CallMode,
  at: time('When'),
});

/** The countermeasure of the latest call about the same thing. */
export const LastCountermeasure = Type.Object(
  {
    owner: text('The person who resumed the line'),
    text: text('The countermeasure'),
    at: time('When'),
  },
  { description: 'The last countermeasure. It did not hold: resuming with the same text is refused' },
);
export type LastCountermeasure = Static<typeof LastCountermeasure>;

/**
 * A call for help on a line, by a person at the cord or by a rule. It is open until somebody resumes the line and says
 * what was done. An automatic call that nobody acknowledged also ends when its line is no longer RED.
 */
export const AndonCall = Type.Object(
  {
    id: text('Id for acknowledging and resuming'),
    line: text(LINE),
    mode: CallMode,
    rule: text('Cause of the call: `cord`, or the rule of a light or circuit'),
    reason: text('The problem, in the words of the first who called'),
    by: text('The first who called'),
    pulls: Type.Optional(
      list(Pull, 'Everybody who called, the first one first; keeps the first and the latest ones'),
    ),
    automatic: Type.Optional(
      Type.Boolean({
        description:
          'A rule made the call because the line was RED for a while. It never stops the line, and it closes by ' +
          'itself if the line is no longer RED and nobody has acknowledged it',
      }),
    ),
    opened_at: time('When the call was made'),
    respond_by: Type.Optional(
      time('Not acknowledged by then, the call becomes a stop: by the clock alone, whatever service is away'),
    ),
    respond_ms: Type.Optional(
      ms('Time to respond. Without an acknowledgement, the call escalates after 1, 2 and 4 times as long'),
    ),
    unanswered_since: Type.Optional(time('Start of the time to respond: the opening, or the end of an ETA')),
    level: Type.Optional(count('How often the call escalated since then')),
    intake: CallIntake,
    owner: Type.Optional(text('The person who looks after it')),
    acknowledged_at: Type.Optional(time('When the owner took it on; absent again when the ETA has passed')),
    first_acknowledged_at: Type.Optional(time('When somebody took it on for the first time')),
    eta: Type.Optional(time('By when the owner expects to be done; then the call is unacknowledged again')),
    overdue_at: Type.Optional(time('When an ETA passed and the line was not resumed')),
    late_owner: Type.Optional(text('The owner whose ETA passed')),
    escalated_at: Type.Optional(time('When it became a stop because nobody acknowledged')),
    countermeasure: Type.Optional(text('In the answer to resuming: the countermeasure')),
    resumed_at: Type.Optional(time('In the answer to resuming: when the line was started again')),
    fingerprint: Type.Optional(text('Fingerprint of the failure behind it')),
    trace_id: Type.Optional(text('The trace behind it')),
    recurrence_of: Type.Optional(
      text('The latest resumed call about the same thing: its countermeasure did not hold'),
    ),
    recurrences: count('Calls about the same thing that were resumed before'),
    last_countermeasure: Type.Optional(LastCountermeasure),
    forced: Type.Optional(
      Type.Boolean({ description: 'In the answer to resuming: the same countermeasure as the last time' }),
    ),
  },
  { additionalProperties: true, description: 'A call for help on a line' },
);
export type AndonCall = Static<typeof AndonCall>;

/** A call that is over, as the line remembers it. */
const ResolvedCall = Type.Object({
  id: text("The call's id"),
  fingerprint: Type.Optional(text('Fingerprint of the failure behind it')),
  about: Type.Optional(
    text('Subject of the call: the fingerprint, the rule, or the reason given at the cord'),
  ),
  owner: text('The person who resumed the line'),
  countermeasure: text('The countermeasure'),
  resumed_at: time('When'),
});
/** A call that a person has closed by resuming the line. */
export type ResolvedCall = Static<typeof ResolvedCall>;

const ANDON_EVENTS = [
  'changed',
  'pulled',
  'acknowledged',
  'escalated',
  'overdue',
  'resumed',
  'closed',
  'retired',
] as const;
/**
 * `changed`: the light has another colour, rule or cause, or the circuit behind it opened, failed a trial or closed. The
 * others are what people did, or what followed because nobody did: `overdue` when the owner let the ETA pass, `closed`
 * when an automatic call ended by itself. `retired` ends the history of a line, and whatever call is open on it.
 */
export type AndonEventKind = (typeof ANDON_EVENTS)[number];

/** One event of the stream ANDON, and one item of the history. */
export const AndonEvent = Type.Object(
  {
    v: version(),
    id: text("The call's id, for acknowledging and resuming; without a call, names the time since GREEN"),
    event: oneOf(ANDON_EVENTS, { description: 'Kind of the event' }),
    at: time('When'),
    line: text(LINE),
    colour: oneOf(COLOURS, { description: 'Colour of the light since' }),
    was: oneOf(COLOURS, { description: 'Colour of the light before' }),
    rule: text('The rule that gave the colour'),
    reason: text('Why, in words'),
    trace_id: Type.Optional(text('The trace behind it')),
    by: text('The person behind it; `andon` for a rule'),
    owner: Type.Optional(text('The person who looks after it')),
    about: Type.Optional(
      text('`changed`: the subject of the rule, apart from figures, such as the dependencies that fail'),
    ),
    circuit: Type.Optional(
      text(
        '`changed`: the end of the pause of an open circuit, or `latched`; another trial failed if it differs',
      ),
    ),
    level: Type.Optional(
      count('`escalated`: 1, 2 or 3, after 1, 2 or 4 times the time to respond without an acknowledgement'),
    ),
    eta: Type.Optional(time('`acknowledged`, `overdue`: by when the owner expects or expected to be done')),
    countermeasure: Type.Optional(text('`resumed`: what was done')),
    forced: Type.Optional(
      Type.Boolean({
        description: '`resumed`: the same countermeasure as the last time, in spite of the warning',
      }),
    ),
    fingerprint: Type.Optional(text('Fingerprint of the failure behind it')),
    recurrence_of: Type.Optional(text('The earlier call about the same thing')),
    recurrences: Type.Optional(count('Calls about the same thing that were resumed before')),
    last_countermeasure: Type.Optional(LastCountermeasure),
    acknowledge_ms: Type.Optional(
      number('`resumed`: milliseconds until the call had an owner; absent if it never had one'),
    ),
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
 * The open call of a line, and when people had it stopped: a value of `tps_stops`, under `stopKey`. andon
 * writes it, by compare-and-set; a line runs only if this record and its circuit both allow it.
 */
export const StopRecord = Type.Object({
  v: version(),
  line: text(LINE),
  call: Type.Optional(AndonCall),
  stops: list(Stop, 'The latest stops by people, oldest first'),
  resolved: list(ResolvedCall, 'The latest resumed calls, oldest first'),
  unlogged: list(AndonEvent, 'Events that the stream ANDON does not have yet: any replica appends them'),
  unlogged_more: Type.Optional(
    list(AndonEvent, 'The same for kinds of events that the version before cannot read: `overdue`, `closed`'),
  ),
});
export type StopRecord = Static<typeof StopRecord>;

/** gateway -> andon: somebody pulls the cord. */
export const PullRequest = Type.Object({
  signal_type: signalType('The line'),
  mode: CallMode,
  reason: said('The problem, in words', 500),
  by: said('The person who pulls the cord', 100),
  respond_within_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 86_400_000,
      description: 'How long a call waits for an owner, in milliseconds. Default: TPS_ANDON_RESPOND_MS',
    }),
  ),
  intake: Type.Optional(amended(CallIntake, { default: 'refuse' })),
  trace_id: Type.Optional(
    Type.String({ pattern: '^[0-9a-f]{32}$', description: 'The trace that shows what is wrong' }),
  ),
});

/** gateway -> andon: somebody looks after a call. */
export const AcknowledgeRequest = Type.Object({
  id: Type.String(),
  owner: said('The person who looks after it', 100),
  eta_ms: Type.Optional(
    Type.Integer({
      minimum: 1_000,
      maximum: 604_800_000,
      default: DEFAULT_ETA_MS,
      description:
        'How long the owner expects to need, in milliseconds. After that the call is unacknowledged again, and ' +
        'the event `overdue` says so',
    }),
  ),
});

/** gateway -> andon: somebody starts the line again. */
export const ResumeRequest = Type.Object({
  id: Type.String(),
  owner: said('The person who starts the line again', 100),
  countermeasure: said('The countermeasure', 1_000),
  force: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Resume even if the same countermeasure did not hold the last time. The history records it',
    }),
  ),
});

/** `unavailable`: it could not be done now, and nothing was changed. */
export const CallReply = Type.Union([
  Type.Object({ call: AndonCall }),
  Type.Object({
    refused: oneOf(['not_found', 'closed', 'unavailable', 'same_countermeasure']),
    reason: text('Why, in words'),
  }),
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
  colour: Type.Optional(oneOf(COLOURS, { description: 'Colour of the light since' })),
  event: Type.Optional(oneOf(ANDON_EVENTS, { description: 'Kind of the event' })),
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
