import type { Beat, HeijunkaBoard } from '@tps/contracts';
import type { TypeDemand } from './demand';

/** Slots are planned to be busy so much of the time: at 100 % every fluctuation becomes a queue. */
const PLANNED_UTILISATION = 0.8;

export interface CapacityFacts {
  demand: Readonly<Record<string, TypeDemand>>;
  /** Mean work per type. */
  cycleMs: Readonly<Record<string, number>>;
  /** Signals that each worker finished lately. */
  finished: Readonly<Record<string, number>>;
  workers: readonly Beat<'worker'>[];
}

type Capacity = Pick<
  HeijunkaBoard,
  'takt_ms' | 'utilisation' | 'workers_needed' | 'distribution' | 'evenness'
>;

/** What is asked of the fleet against what it can do. */
export function capacityOf({ demand, cycleMs, finished, workers }: CapacityFacts): Capacity {
  const slots = sum(workers, ({ vitals }) => vitals.slots);
  const busy = sum(workers, ({ vitals }) => vitals.busy);
  const done = sum(workers, ({ instance }) => finished[instance] ?? 0);
  const shareOf = (instance: string): number => (done === 0 ? 0 : (finished[instance] ?? 0) / done);
  const takt = Object.entries(demand).map(([type, { per_s }]) => {
    return [type, per_s > 0 ? round(1_000 / per_s) : null] as const;
  });
  const distribution = workers.map(({ instance, vitals }) => {
    const { slots, busy, started } = vitals;
    return [instance, { slots, busy, started, share: round(shareOf(instance)) }] as const;
  });
  // How much of the work was not done where an even spread over the slots would have put it.
  const apart =
    sum(workers, ({ instance, vitals }) => Math.abs(shareOf(instance) - vitals.slots / slots)) / 2;
  return {
    takt_ms: Object.fromEntries(takt),
    utilisation: slots === 0 ? 0 : round(busy / slots),
    workers_needed: slots === 0 ? null : workersFor(demand, cycleMs, slots / workers.length),
    distribution: Object.fromEntries(distribution),
    evenness: done === 0 || slots === 0 ? null : round(1 - apart),
  };
}

/** Work that arrives per second is the number of slots it keeps busy; a type that never ran is not known to need any. */
function workersFor(
  demand: CapacityFacts['demand'],
  cycleMs: CapacityFacts['cycleMs'],
  slotsPerWorker: number,
): number {
  const busySlots = sum(
    Object.entries(demand),
    ([type, { per_s }]) => (per_s * (cycleMs[type] ?? 0)) / 1_000,
  );
  return Math.max(1, Math.ceil(busySlots / PLANNED_UTILISATION / slotsPerWorker));
}

function sum<T>(items: readonly T[], figure: (item: T) => number): number {
  return items.reduce((total, item) => total + figure(item), 0);
}

export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
