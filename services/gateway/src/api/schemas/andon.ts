import { Type } from '@sinclair/typebox';
import {
  amended,
  AndonCall,
  AndonEvent,
  cursor,
  list,
  nullable,
  oneOf,
  REQUESTS,
  SERVICES,
  signalType,
} from '@tps/contracts';

export { AndonBoard } from '@tps/contracts';

const { pull, acknowledge, resume, history, charts } = REQUESTS;

export const CordRequest = Type.Object(
  {
    ...pull.request.properties,
    by: Type.Optional(
      amended(pull.request.properties.by, {
        description: 'The person who pulls the cord; by default the client of the token',
      }),
    ),
  },
  { additionalProperties: false, description: 'Pulling the cord' },
);
export const AcknowledgeRequest = Type.Omit(acknowledge.request, ['id'], { additionalProperties: false });
export const ResumeRequest = Type.Omit(resume.request, ['id'], { additionalProperties: false });

export const Call = AndonCall;

const { line: _line, ...filters } = history.request.properties;
export const HistoryQuery = Type.Object(
  {
    type: Type.Optional(signalType('The line')),
    station: Type.Optional(oneOf(SERVICES, { description: 'The service' })),
    ...filters,
    cursor: Type.Optional(cursor()),
  },
  { additionalProperties: false },
);

const { v: _v, trace_id: _trace, ...event } = AndonEvent.properties;
export const HistoryPage = Type.Object({
  items: list(
    Type.Object(
      {
        ...event,
        trace_id: nullable(
          Type.String(),
          'The trace behind it; null when it is none, as when a line is well again',
        ),
        acknowledge_ms: Type.Optional(
          nullable(
            Type.Number(),
            '`resumed`: milliseconds until the call had an owner; null if it never had one',
          ),
        ),
      },
      { additionalProperties: true },
    ),
    'Newest first',
  ),
  next: history.reply.properties.next,
});

export const ChartsQuery = Type.Object(charts.request.properties, { additionalProperties: false });
export const Charts = charts.reply;

export const EventsQuery = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Begin after this event, for example the `position` of the board; `Last-Event-ID` wins',
      }),
    ),
  },
  { additionalProperties: false },
);
