import { Type } from '@sinclair/typebox';
import { type Cards, MAX_CARDS, MAX_RATE_PER_S, REQUESTS } from '@tps/contracts';

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
export const CardsState = REQUESTS.cards.reply;

export const RateChange = Type.Object(
  {
    max_per_s: Type.Unsafe<number | null>({
      type: ['number', 'null'],
      exclusiveMinimum: 0,
      maximum: MAX_RATE_PER_S,
      description: `a number above 0 and up to ${MAX_RATE_PER_S}, or null for no limit`,
    }),
  },
  { additionalProperties: false, description: 'How many signals of the type may start per second' },
);
export const RateState = REQUESTS.rate.reply;
