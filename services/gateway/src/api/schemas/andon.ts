import { Type } from '@sinclair/typebox';
import {
  AcknowledgeRequest as Acknowledge,
  amended,
  AndonCall,
  AndonEvent,
  cursor,
  HistoryReply,
  HistoryRequest,
  list,
  nullable,
  oneOf,
  PullRequest,
  ResumeRequest as Resume,
  SERVICES,
  signalType,
} from '@tps/contracts';

export { AndonBoard } from '@tps/contracts';

export const CordRequest = Type.Object(
  {
    ...PullRequest.properties,
    by: Type.Optional(
      amended(PullRequest.properties.by, {
        description: 'Who pulls the cord; by default the client whose token it is',
      }),
    ),
  },
  { additionalProperties: false, description: 'Pulling the cord' },
);
export const AcknowledgeRequest = Type.Omit(Acknowledge, ['id'], { additionalProperties: false });
export const ResumeRequest = Type.Omit(Resume, ['id'], { additionalProperties: false });

export const Call = AndonCall;

const { line: _line, ...filters } = HistoryRequest.properties;
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
      },
      { additionalProperties: true },
    ),
    'Newest first',
  ),
  next: HistoryReply.properties.next,
});

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
