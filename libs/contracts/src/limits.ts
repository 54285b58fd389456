/**
 * Limits on a signal type that people set: cards bound what is in progress of it, a rate bounds how often one starts.
 * Both hold over all lanes and workers. Without a record there is no limit, and nothing is spent on it.
 */

/** `auto`: as many as the kanban formula says, see `ScheduleRecord.cards`. */
export type Cards = number | 'auto';
export const MAX_CARDS = 10_000;
export const MAX_RATE_PER_S = 10_000;

/** KV `tps_cards`, key: the type. */
export interface CardsRecord {
  v: number;
  signal_type: string;
  cards: Cards;
  set_at: string;
}

/** KV `tps_schedule`, key `rateKey(type)`. */
export interface RateRecord {
  v: number;
  signal_type: string;
  max_per_s: number;
  set_at: string;
}

/** The other key of the bucket is no prefix of these. */
export function rateKey(type: string): string {
  return `rate.${type}`;
}
export function typeOfRateKey(key: string): string | undefined {
  return key.startsWith('rate.') ? key.slice('rate.'.length) : undefined;
}

/** gateway -> kanban: `null` takes the limit away. */
export interface CardsRequest {
  signal_type: string;
  cards: Cards | null;
}
export interface CardsReply extends TypeCards {
  signal_type: string;
}
/** gateway -> heijunka; the answer says what holds from now on. */
export interface RateRequest {
  signal_type: string;
  max_per_s: number | null;
}
/** How many signals of a type may be in progress. */
export interface TypeCards {
  /** As people set it. */
  cards: Cards | 'default';
  /** What it comes to now; without a limit, the slots of the workers that serve the type. */
  limit: number;
  /** What the kanban formula says; null while its figures are not known. */
  advice: number | null;
}

/**
 * Who may start signals of a limited type: KV `tps_leases`, written by the workers by compare-and-set, so that all
 * together never hold more than there is. Nothing has to be renewed: a holder is there while its beats are heard.
 */
export interface LeasesRecord {
  v: number;
  /** By worker. */
  holders: Record<string, Lease>;
  /** Of a rate: the next start may be at this time (milliseconds since 1970). */
  next_ms?: number;
}
export interface Lease {
  held: number;
  /** The process, as a subject that it listens to: a namesake after a restart has another. */
  address: string;
}
export function cardsLease(type: string): string {
  return `cards.${type}`;
}
/** There is one to hold: who has it starts signals of the type, at the type's rate. */
export function rateLease(type: string): string {
  return `rate.${type}`;
}
