import { CLASS_WEIGHTS, type ScheduleRecord, WIRE_VERSION } from '@tps/contracts';
import type { TypeDemand } from './demand';

/** The least weight of a type with hardly any demand: a twentieth of the average type. */
const MIN_WEIGHT = 0.05;
/** Below this total there is no demand to level. */
const NEGLIGIBLE_PER_S = 1e-3;
/** The change of a weight, relative to the greater one, that workers need to know. */
const MIN_CHANGE = 0.1;

/** The weight of each type, and the advised number of its cards. */
export interface SchedulePlan {
  weights: Readonly<Record<string, number>>;
  cards: Readonly<Record<string, number>>;
}

export function scheduleOf({ weights, cards }: SchedulePlan, nowMs: number): ScheduleRecord {
  return {
    v: WIRE_VERSION,
    classes: { ...CLASS_WEIGHTS },
    demand: { ...weights },
    cards: { ...cards },
    updated_at: new Date(nowMs).toISOString(),
  };
}

/**
 * Weights by demand. Their average is 1, the weight that workers give to a type that is not in the schedule yet, so a
 * new type starts as an average one.
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
    return [name, Math.max(MIN_WEIGHT, Math.round(weight * 1_000) / 1_000)] as const;
  });
  return Object.fromEntries(weights);
}

/** Whether the cards or the types changed, or a weight by more than a tenth. Smaller changes are not worth a write. */
export function isWorthWriting(before: ScheduleRecord, { weights, cards }: SchedulePlan): boolean {
  if (Object.entries(cards).some(([type, count]) => before.cards?.[type] !== count)) return true;
  if (Object.keys(before.cards ?? {}).some((type) => !(type in cards))) return true;
  return haveChanged(before.demand, weights);
}

function haveChanged(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): boolean {
  if (Object.keys(before).some((type) => !(type in after))) return true;
  return Object.entries(after).some(([type, weight]) => {
    const old = before[type];
    return old === undefined || Math.abs(weight - old) > MIN_CHANGE * Math.max(weight, old);
  });
}
