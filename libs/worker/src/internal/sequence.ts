import { CLASS_WEIGHTS, laneName, PRIORITIES, type Priority, type ScheduleRecord } from '@tps/contracts';

/**
 * Smooth weighted round robin: over any stretch every key gets its share, spread evenly and not in blocks. Each pick
 * adds every candidate's weight to its credit, takes the candidate with the most credit and charges it the sum.
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
    // A type without work keeps neither debt nor credit, so it starts even with the others when it comes back.
    if (this.credit.size > candidates.length) {
      for (const key of this.credit.keys()) if (!candidates.includes(key)) this.credit.delete(key);
    }
    return best;
  }
}

/**
 * The order in which a worker takes signals. The priority class comes first, by the schedule's weights (8:4:2:1) over the
 * classes that have work; inside it come the types, by demand. Pure bookkeeping: the caller says what has work.
 */
export class LevelSequence {
  private readonly classes = new SmoothRoundRobin<Priority>();
  private readonly types = new Map<Priority, SmoothRoundRobin<string>>();
  private classWeights = CLASS_WEIGHTS;
  private demand: Readonly<Record<string, number>> = {};
  /** Picks made so far. */
  place = 0;

  /** @param schedule undefined before heijunka writes the first; a class without a positive weight keeps its default */
  setSchedule(schedule: Pick<ScheduleRecord, 'classes' | 'demand'> | undefined): void {
    const { classes = {}, demand = {} } = schedule ?? {};
    const weights = { ...CLASS_WEIGHTS };
    for (const priority of PRIORITIES) {
      const weight = classes[priority] ?? 0;
      if (weight > 0) weights[priority] = weight;
    }
    this.classWeights = weights;
    this.demand = demand;
  }

  /**
   * @param available types with work, by priority; empty classes absent
   * @returns the lane to take from next, or null when there is no work
   */
  next(available: ReadonlyMap<Priority, readonly string[]>): { lane: string; place: number } | null {
    const priority = this.classes.pick([...available.keys()], (p) => this.classWeights[p]);
    if (priority === undefined) return null;
    let types = this.types.get(priority);
    if (!types) this.types.set(priority, (types = new SmoothRoundRobin()));
    const type = types.pick(available.get(priority) ?? [], (name) => this.demand[name] ?? 1);
    if (type === undefined) return null;
    this.place += 1;
    return { lane: laneName(type, priority), place: this.place };
  }
}
