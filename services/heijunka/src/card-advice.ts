import type { CapacityFacts } from './capacity';
import { type TypeDemand, WORK_OFF_S } from './demand';

export interface CardDemand {
  demand: Pick<TypeDemand, 'arrivals_per_s' | 'backlog'>;
  /** Mean work of one signal, in milliseconds: how long it needs a card. */
  cycleMs: number;
  /** Slots of all workers that serve the type. */
  slots: number;
}

/** Spare cards, as a share of the average need, because demand and work vary. */
const SAFETY = 0.5;
/** Advise fewer cards only if this multiple of the need would fit in them, so that the advice does not flutter. */
const SLACK = 1.25;

/**
 * The kanban formula: cards = demand x lead time x (1 + safety), between 1 and the number of slots. Demand is the
 * greater of the arrivals and the rate that works off the backlog within a minute.
 */
export function advisedCards({ demand, cycleMs, slots }: CardDemand, before?: number): number {
  const perS = Math.max(demand.arrivals_per_s, demand.backlog / WORK_OFF_S);
  const needed = perS * (cycleMs / 1_000) * (1 + SAFETY);
  const limited = (cards: number): number => Math.max(1, Math.min(cards, slots));
  const up = limited(Math.ceil(needed));
  if (before === undefined || up >= before) return up;
  return Math.min(limited(before), limited(Math.ceil(needed * SLACK)));
}

/** The advice for every type. A type without recent work, or without workers, keeps its figure. */
export function adviseCards(
  { demand, cycleMs, workers }: Pick<CapacityFacts, 'demand' | 'cycleMs' | 'workers'>,
  before: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const cards: Record<string, number> = { ...before };
  for (const [type, meanMs] of Object.entries(cycleMs)) {
    const serving = workers.filter(({ vitals }) => vitals.types.includes(type));
    const slots = serving.reduce((sum, { vitals }) => sum + vitals.slots, 0);
    const asked = { demand: demand[type] ?? { arrivals_per_s: 0, backlog: 0 }, cycleMs: meanMs, slots };
    if (slots > 0) cards[type] = advisedCards(asked, before[type]);
  }
  return cards;
}
