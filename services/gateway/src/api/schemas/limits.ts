import { Type } from '@sinclair/typebox';
import { type Cards, MAX_CARDS, MAX_RATE_PER_S, type TypeCards } from '@tps/contracts';
import { count } from './fields';

/** One schema instead of a union of three: a fault is then told once, for what was meant. */
export const CardsChange = Type.Object(
  {
    cards: Type.Unsafe<Cards | null>({
      type: ['integer', 'string', 'null'],
      minimum: 1,
      maximum: MAX_CARDS,
      pattern: '^auto$',
      description: `a whole number from 1 to ${MAX_CARDS}, "auto" for what the kanban formula says, or null for no limit of its own`,
    }),
  },
  { additionalProperties: false, description: 'How many signals of the type may be in progress' },
);

export const CardsState = Type.Object({
  signal_type: Type.String(),
  cards: Type.Unsafe<TypeCards['cards']>({
    type: ['integer', 'string'],
    description: 'As set: n, auto, default',
  }),
  limit: count('What it comes to now'),
  advice: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
    description: 'What the kanban formula says; null while its figures are not known',
  }),
});

const maxPerS = Type.Unsafe<number | null>({
  type: ['number', 'null'],
  exclusiveMinimum: 0,
  maximum: MAX_RATE_PER_S,
  description: `a number above 0 and up to ${MAX_RATE_PER_S}, or null for no limit`,
});

export const RateChange = Type.Object(
  { max_per_s: maxPerS },
  { additionalProperties: false, description: 'How many signals of the type may start per second' },
);
export const RateState = Type.Object({ signal_type: Type.String(), max_per_s: maxPerS });
