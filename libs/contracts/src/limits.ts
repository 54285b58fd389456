import { type Static, Type } from '@sinclair/typebox';
import { mapOf, nullable, number, text } from './fields';
import { signalType } from './signal';
import { version } from './version';

/*
 * Limits that people set on a signal type: cards bound what is in progress, a rate bounds how often one starts. Both
 * hold over all lanes and workers. Without a record there is no limit, and nothing is spent on it.
 */

/** The most cards a type can be given. */
export const MAX_CARDS = 10_000;
/** The highest rate a type can be given, in starts per second. */
export const MAX_RATE_PER_S = 10_000;

/** A number of cards. `auto` follows the kanban formula, see `ScheduleRecord.cards`. */
const Cards = Type.Union([Type.Integer({ minimum: 1, maximum: MAX_CARDS }), Type.Literal('auto')]);
/** The cards of a type: a number, or `auto`. */
export type Cards = Static<typeof Cards>;

/** The card limit of a type: a value of `tps_cards`, under the type's name. kanban writes it. */
export const CardsRecord = Type.Object({
  v: version(),
  signal_type: signalType(),
  cards: Cards,
  set_at: text('When it was set, ISO 8601'),
});
export type CardsRecord = Static<typeof CardsRecord>;

/** The rate of a type: a value of `tps_schedule`, under `rateKey(type)`. heijunka writes it. */
export const RateRecord = Type.Object({
  v: version(),
  signal_type: signalType(),
  max_per_s: number('Signals that may start per second'),
  set_at: text('When it was set, ISO 8601'),
});
export type RateRecord = Static<typeof RateRecord>;

const RATE = 'rate.';

/** The key of a type's rate in `tps_schedule`; the other key of the bucket is `SCHEDULE_KEY`. */
export function rateKey(type: string): string {
  return RATE + type;
}
/** The type of a key that `rateKey` made; undefined of any other key. */
export function typeOfRateKey(key: string): string | undefined {
  return key.startsWith(RATE) ? key.slice(RATE.length) : undefined;
}

/** gateway -> kanban: null takes the limit away. */
export const CardsRequest = Type.Object({
  signal_type: signalType(),
  cards: nullable(Cards, 'A number, `auto`, or null for no limit'),
});

/** How many signals of a type may be in progress. */
export const TypeCards = Type.Object({
  cards: Type.Unsafe<Cards | 'default'>(
    Type.Union([Cards, Type.Literal('default')], { description: 'As set: a number, `auto`, or `default`' }),
  ),
  limit: Type.Integer({
    minimum: 0,
    description: 'The limit in force; without one, the slots of the workers that serve the type',
  }),
  advice: nullable(
    Type.Integer({ minimum: 1 }),
    'The figure of the kanban formula; null while its inputs are not known',
  ),
});
export type TypeCards = Static<typeof TypeCards>;

export const CardsReply = Type.Composite([Type.Object({ signal_type: signalType() }), TypeCards]);

/** gateway -> heijunka, and the answer, which says what holds from now on. */
export const RateRequest = Type.Object({
  signal_type: signalType(),
  max_per_s: Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: MAX_RATE_PER_S }), Type.Null()], {
    description: 'Signals that may start per second; null: no limit',
  }),
});

/**
 * The workers that may start signals of a limited type: a value of `tps_leases`, under `cardsLease(type)` or `rateLease(type)`.
 * Workers write it by compare-and-set, so that together they never hold more than there is. Nothing has to be renewed:
 * a holder is there while its beats are heard.
 */
export const LeasesRecord = Type.Object({
  v: version(),
  holders: mapOf(
    Type.Object({
      held: Type.Integer({ minimum: 0 }),
      address: text('Subject that this process listens to: a namesake after a restart has another'),
    }),
    'By worker',
  ),
  next_ms: Type.Optional(number('For a rate: no start before this moment, in milliseconds since 1970')),
});
export type LeasesRecord = Static<typeof LeasesRecord>;

/** The key in `tps_leases` of a type's cards. */
export function cardsLease(type: string): string {
  return `cards.${type}`;
}
/** The key in `tps_leases` of a type's rate: one worker at a time holds it and starts signals at that rate. */
export function rateLease(type: string): string {
  return RATE + type;
}
