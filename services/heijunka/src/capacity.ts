import type { Heartbeat, HeijunkaBoard } from '@tps/contracts';
import type { TypeDemand } from './demand';

/** The planned share of busy time. At 100 % every fluctuation would become a queue. */
const PLANNED_UTILISATION = 0.8;

export interface CapacityFacts {
  demand: Readonly<Record<string, TypeDemand>>;
  /** Mean work per type, in milliseconds. */
  cycleMs: Readonly<Record<string, number>>;
  /** Signals that each worker finished in the last five minutes. */
  finished: Readonly<Record<string, number>>;
  workers: readonly Heartbeat<'worker'>[];
}

type Capacity = Pick<
  HeijunkaBoard,
  'takt_ms' | 'utilisation' | 'workers_needed' | 'distribution' | 'evenness'
>;

/** Compares demand with what the workers can do. */
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
  // The share of the work that would have to move for each worker to do as much as its share of the slots.
  const misplaced =
    sum(workers, ({ instance, vitals }) => Math.abs(shareOf(instance) - vitals.slots / slots)) / 2;
  return {
    takt_ms: Object.fromEntries(takt),
    utilisation: slots === 0 ? 0 : round(busy / slots),
    workers_needed: slots === 0 ? null : workersFor(demand, cycleMs, slots / workers.length),
    distribution: Object.fromEntries(distribution),
    evenness: done === 0 || slots === 0 ? null : round(1 - misplaced),
  };
}

/** The work that arrives per second is the number of slots it keeps busy. A type without recent work counts as 0. */
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

/** Rounds to three decimals. */
export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
