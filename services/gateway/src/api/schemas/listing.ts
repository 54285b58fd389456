import { Type } from '@sinclair/typebox';
import {
  ERROR_CLASSES,
  FINAL_STATUSES,
  OPEN_STATUSES,
  SIGNAL_TYPE_PATTERN,
  SIGNALS_MAX_LIMIT,
} from '@tps/contracts';
import { cursor, oneOf, time } from './fields';

const WORDS = [...FINAL_STATUSES, ...OPEN_STATUSES];

export const SignalsQuery = Type.Object(
  {
    type: Type.Optional(Type.String({ pattern: SIGNAL_TYPE_PATTERN, description: 'Signal type' })),
    status: Type.Optional(
      Type.String({
        pattern: `^(${WORDS.join('|')})(,(${WORDS.join('|')}))*$`,
        description: `One or several of ${WORDS.join(', ')}; all of them finished or all not. Default: finished ones`,
      }),
    ),
    class: Type.Optional(oneOf(ERROR_CLASSES, { description: 'Why it did not succeed' })),
    since: Type.Optional(time('Finished, or accepted, then or later')),
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
    Type.Object(
      { signal_id: Type.String(), signal_type: Type.String(), run: Type.Integer(), status: oneOf(WORDS) },
      {
        additionalProperties: true,
        description: 'As `GET /signal/{id}` shows it, without result and timeline',
      },
    ),
    { description: 'Newest first' },
  ),
  next: Type.Union([Type.String(), Type.Null()], {
    description: '`cursor` of the next page; a page may be short and not the last',
  }),
});
