import type { WorkerVitals } from '@tps/contracts';

/** The facts from which the bottleneck of a type is chosen. */
export interface Bottleneck {
  type: string;
  /** The workers that serve the type. */
  workers: readonly Pick<WorkerVitals, 'slots' | 'busy' | 'running'>[];
  /** Signals of the type that workers have. */
  in_flight: number;
  /** The limits that people have set; absent without. */
  cards?: number;
  max_per_s?: number;
}

/** Says what the waiting signals of a type wait for: its cards, a slot, or its rate. */
export function bottleneckOf({ type, workers, in_flight, cards, max_per_s }: Bottleneck): string {
  if (cards !== undefined && in_flight >= cards) {
    return cards === 1 ? 'its 1 card is busy' : `all its ${cards} cards are busy`;
  }
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  const busy = workers.reduce((sum, worker) => sum + worker.busy, 0);
  if (slots === 0) return 'no worker serves the type';
  if (busy >= slots)
    return `${slots === 1 ? 'its 1 slot is' : `all ${slots} slots`} busy${others(type, workers)}`;
  if (max_per_s !== undefined) return `max_per_s ${max_per_s}`;
  return `${slots - busy} of ${slots} slots are free`;
}

/** Names the other types that have slots, the one with the most first. */
function others(type: string, workers: Bottleneck['workers']): string {
  const counts = new Map<string, number>();
  for (const { running = {} } of workers) {
    for (const [name, count] of Object.entries(running)) {
      if (name !== type) counts.set(name, (counts.get(name) ?? 0) + count);
    }
  }
  const named = [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} has ${count}`);
  return named.length > 0 ? ` (${named.join(', ')})` : '';
}
