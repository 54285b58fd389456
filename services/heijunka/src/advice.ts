import type { TypeDemand } from './demand';

export interface CardFacts {
  demand: TypeDemand;
  /** Mean work of one signal: how long it has a card. */
  cycleMs: number;
  /** Of the workers that serve the type. */
  slots: number;
}

/** Demand and work vary: so much more than the average needs. */
const SAFETY = 0.5;
const WORK_OFF_S = 60;
/** Fewer are advised only when so much more would still not need as many: else the figure would flutter. */
const SLACK = 1.25;

/**
 * The kanban formula: cards = demand x lead time x (1 + safety), within 1 and the slots there are. What waits counts
 * as demand as if it were to be worked off within a minute.
 */
export function cardsFor({ demand, cycleMs, slots }: CardFacts, before?: number): number {
  const perS = Math.max(demand.arrivals_per_s, demand.backlog / WORK_OFF_S);
  const needed = perS * (cycleMs / 1_000) * (1 + SAFETY);
  const within = (cards: number): number => Math.max(1, Math.min(cards, slots));
  const up = within(Math.ceil(needed));
  if (before === undefined || up >= before) return up;
  return Math.min(within(before), within(Math.ceil(needed * SLACK)));
}
