import { Type } from '@sinclair/typebox';
import { ANDON_EVENTS, COLOURS, SERVICES, SIGNAL_TYPE_PATTERN } from '@tps/contracts';
import { count, cursor, ms, oneOf, text, time } from './fields';

const MODES = ['call', 'stop'] as const;
const INTAKES = ['refuse', 'hold'] as const;
const MAX_RESPOND_MS = 86_400_000;
const said = (description: string, maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: '\\S', description });
const signalType = Type.String({ pattern: SIGNAL_TYPE_PATTERN, description: 'The line' });

export const CordRequest = Type.Object(
  {
    signal_type: signalType,
    mode: oneOf(MODES, {
      description:
        '`call`: work goes on, and the line stops if nobody acknowledges in time; `stop`: it stops now',
    }),
    reason: said('What is wrong', 500),
    respond_within_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_RESPOND_MS,
        description: 'How long a call waits for somebody to acknowledge it; by default TPS_ANDON_RESPOND_MS',
      }),
    ),
    intake: Type.Optional(
      oneOf(INTAKES, {
        default: 'refuse',
        description: '`hold`: signals with `Prefer: respond-async` are accepted and kept while it is stopped',
      }),
    ),
    by: Type.Optional(said('Who pulls the cord; by default the client whose token it is', 100)),
  },
  { additionalProperties: false, description: 'Pulling the cord' },
);

export const AcknowledgeRequest = Type.Object(
  { owner: said('Who looks after it', 100) },
  { additionalProperties: false },
);
export const ResumeRequest = Type.Object(
  { owner: said('Who starts the line again', 100), countermeasure: said('What was done about it', 1_000) },
  { additionalProperties: false },
);

export const Call = Type.Object(
  {
    id: text('What acknowledging and resuming take'),
    line: text('A signal type, or `station:<service>`'),
    mode: oneOf(MODES),
    rule: text('What made the call'),
    reason: text('What is wrong'),
    by: text('Who called'),
    opened_at: time('When'),
    respond_by: Type.Optional(time('Unacknowledged by then, the line stops')),
    intake: oneOf(INTAKES),
    owner: Type.Optional(text('Who looks after it')),
    acknowledged_at: Type.Optional(time('When')),
    escalated_at: Type.Optional(time('When it became a stop because nobody acknowledged')),
    countermeasure: Type.Optional(text('In the answer to resuming: what was done')),
    resumed_at: Type.Optional(time('Likewise: when the line was started again')),
    fingerprint: Type.Optional(text('Of the failure behind it')),
    trace_id: Type.Optional(text('The trace behind it')),
    recurrence_of: Type.Optional(text('The earlier call with the same fingerprint')),
    recurrences: count('Calls with this fingerprint that were resumed before'),
  },
  { additionalProperties: true, description: 'A call for help on a line' },
);

export const HistoryQuery = Type.Object(
  {
    type: Type.Optional(signalType),
    station: Type.Optional(oneOf(SERVICES, { description: 'The service' })),
    colour: Type.Optional(oneOf(COLOURS, { description: 'What the light shows since' })),
    event: Type.Optional(oneOf(ANDON_EVENTS, { description: 'What happened' })),
    rule: Type.Optional(Type.String({ maxLength: 48, description: 'Which rule' })),
    id: Type.Optional(Type.String({ maxLength: 64, description: 'Everything about one call' })),
    since: Type.Optional(time('Not before')),
    until: Type.Optional(time('Before')),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        description: 'Items on a page; by default TPS_ANDON_HISTORY',
      }),
    ),
    cursor: Type.Optional(cursor()),
  },
  { additionalProperties: false },
);

const HistoryItem = Type.Object(
  {
    id: text("The call's, for acknowledging and resuming"),
    event: oneOf(ANDON_EVENTS),
    at: time('When'),
    line: text('A signal type, or `station:<service>`'),
    colour: oneOf(COLOURS),
    was: oneOf(COLOURS),
    rule: text('What gave it'),
    reason: text('In words'),
    trace_id: Type.Union([Type.String(), Type.Null()], {
      description: 'The trace behind it; null when it is none, as when a line is well again',
    }),
    by: text('Who did it; `andon` for a rule'),
    owner: Type.Optional(text('Who looks after it')),
    countermeasure: Type.Optional(text('`resumed`: what was done')),
    recurrence_of: Type.Optional(text('The earlier call with the same fingerprint')),
    acknowledge_ms: Type.Optional(ms('`resumed`: until somebody looked after it')),
    restore_ms: Type.Optional(ms('`resumed`: until the line ran again')),
  },
  { additionalProperties: true },
);
export const HistoryPage = Type.Object({
  items: Type.Array(HistoryItem, { description: 'Newest first' }),
  next: Type.Union([Type.String(), Type.Null()], {
    description: '`cursor` of the next page; null on the last',
  }),
});

export const EventsQuery = Type.Object(
  {
    after: Type.Optional(
      count('Begin after this event, for example the `position` of the board; `Last-Event-ID` wins'),
    ),
  },
  { additionalProperties: false },
);
