import { type ScheduleRecord, WIRE_VERSION } from '@tps/contracts';
import type { TypeDemand } from './demand';

/** Share of each priority class while it has work. None is zero, so none starves. */
const CLASSES: Readonly<Record<string, number>> = { 1: 8, 2: 4, 3: 2, 4: 1 };
/** A type with hardly any demand is still taken now and then, at a twentieth of the average type. */
const LEAST_WEIGHT = 0.05;
/** Altogether less than this is no demand to level. */
const NEGLIGIBLE_PER_S = 1e-3;
const WORTH_WRITING = 0.1;

/** What workers are told: the weight of each type, and the cards it is advised to have. */
export interface Plan {
  weights: Readonly<Record<string, number>>;
  cards: Readonly<Record<string, number>>;
}

export function scheduleOf({ weights, cards }: Plan, nowMs: number): ScheduleRecord {
  return {
    v: WIRE_VERSION,
    classes: { ...CLASSES },
    demand: { ...weights },
    cards: { ...cards },
    updated_at: new Date(nowMs).toISOString(),
  };
}

/**
 * Weights by demand, 1 on average: workers give 1 to a type that the schedule does not name yet, so a new type starts
 * as an average one.
 */
export function weightsOf(
  demand: Readonly<Record<string, TypeDemand>>,
  types: Iterable<string>,
): Record<string, number> {
  const names = [...new Set([...types, ...Object.keys(demand)])].sort();
  const total = Object.values(demand).reduce((sum, { per_s }) => sum + per_s, 0);
  const weights = names.map((name) => {
    if (total < NEGLIGIBLE_PER_S) return [name, 1] as const;
    const weight = ((demand[name]?.per_s ?? 0) * names.length) / total;
    return [name, Math.max(LEAST_WEIGHT, Math.round(weight * 1_000) / 1_000)] as const;
  });
  return Object.fromEntries(weights);
}

/** Workers need not hear of every flutter: other cards, another type, or a weight that moved by more than a tenth. */
export function isWorthWriting(before: ScheduleRecord, { weights, cards }: Plan): boolean {
  if (Object.entries(cards).some(([type, count]) => before.cards?.[type] !== count)) return true;
  if (Object.keys(before.cards ?? {}).some((type) => !(type in cards))) return true;
  return haveMoved(before.demand, weights);
}

function haveMoved(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): boolean {
  if (Object.keys(before).some((type) => !(type in after))) return true;
  return Object.entries(after).some(([type, weight]) => {
    const old = before[type];
    return old === undefined || Math.abs(weight - old) > WORTH_WRITING * Math.max(weight, old);
  });
}
