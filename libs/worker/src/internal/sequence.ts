import { laneName, type Priority } from '@tps/contracts';

/** Weight of each priority class while it has work: none starves. */
export const CLASS_WEIGHTS: Readonly<Record<Priority, number>> = { 1: 8, 2: 4, 3: 2, 4: 1 };

/**
 * Smooth weighted round robin: over any stretch every key gets its share, spread evenly and not in blocks. Each pick
 * adds every candidate's weight to its credit, takes the one with most credit and charges it the sum.
 */
export class SmoothRoundRobin<K> {
  private readonly credit = new Map<K, number>();

  pick(candidates: readonly K[], weight: (key: K) => number): K | undefined {
    let best: K | undefined;
    let most = -Infinity;
    let total = 0;
    for (const key of candidates) {
      const w = weight(key);
      const credit = (this.credit.get(key) ?? 0) + w;
      this.credit.set(key, credit);
      total += w;
      if (credit > most) [best, most] = [key, credit];
    }
    if (best !== undefined) this.credit.set(best, most - total);
    // Who has no work keeps neither debt nor credit: coming back, it starts level with the others.
    if (this.credit.size > candidates.length) {
      for (const key of this.credit.keys()) if (!candidates.includes(key)) this.credit.delete(key);
    }
    return best;
  }
}

/**
 * The order in which a worker takes signals: the priority class first, by 8:4:2:1 over the classes that have work,
 * inside it the types by demand. Pure bookkeeping; what has work is statusesOf by the caller.
 */
export class LevelSequence {
  private readonly classes = new SmoothRoundRobin<Priority>();
  private readonly types = new Map<Priority, SmoothRoundRobin<string>>();
  private demand: Readonly<Record<string, number>> = {};
  /** Picks made so far. */
  place = 0;

  setDemand(demand: Readonly<Record<string, number>>): void {
    this.demand = demand;
  }

  /**
   * @param available types with work, by priority; empty classes absent
   * @returns the lane to take from next, or null when there is no work
   */
  next(available: ReadonlyMap<Priority, readonly string[]>): { lane: string; place: number } | null {
    const priority = this.classes.pick([...available.keys()], (p) => CLASS_WEIGHTS[p]);
    if (priority === undefined) return null;
    let types = this.types.get(priority);
    if (!types) this.types.set(priority, (types = new SmoothRoundRobin()));
    const type = types.pick(available.get(priority) ?? [], (name) => this.demand[name] ?? 1);
    if (type === undefined) return null;
    this.place += 1;
    return { lane: laneName(type, priority), place: this.place };
  }
}
