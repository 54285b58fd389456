import { Type } from '@sinclair/typebox';
import { cursor, FINAL_STATUSES, OPEN_STATUSES, REQUESTS, SIGNALS_MAX_LIMIT } from '@tps/contracts';
import { SignalView } from './signals';

const WORDS = [...FINAL_STATUSES, ...OPEN_STATUSES];

export const SignalsQuery = Type.Object(
  {
    type: REQUESTS.finishedSignals.request.properties.type,
    status: Type.Optional(
      Type.String({
        pattern: `^(${WORDS.join('|')})(,(${WORDS.join('|')}))*$`,
        description: `One or several of ${WORDS.join(', ')}; all of them finished or all not. Default: finished ones`,
      }),
    ),
    class: REQUESTS.finishedSignals.request.properties.class,
    since: REQUESTS.finishedSignals.request.properties.since,
    limit: Type.Integer({
      minimum: 1,
      maximum: SIGNALS_MAX_LIMIT,
      default: 50,
      description: 'Signals of one page',
    }),
    cursor: Type.Optional(cursor()),
  },
  { additionalProperties: false },
);

export const Signals = Type.Object({
  items: Type.Array(
    Type.Composite(
      [
        Type.Omit(SignalView, ['signal_id', 'message', 'result', 'runs', 'timeline']),
        // The queue also lists messages that no worker can read, and signals that have no message yet.
        Type.Object({ signal_id: Type.String(), message: Type.Optional(SignalView.properties.message) }),
      ],
      {
        additionalProperties: true,
        description: 'As `GET /signal/{id}` shows it, without result, runs and timeline',
      },
    ),
    { description: 'Newest first' },
  ),
  next: REQUESTS.openSignals.reply.properties.next,
  reach: REQUESTS.finishedSignals.reply.properties.reach,
});
