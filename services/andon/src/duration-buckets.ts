/** Each step is one percent above the one before. */
const RATIO = 1.01;
const LOG_RATIO = Math.log(RATIO);
/** Below this all durations are alike. */
const SMALLEST_MS = 0.01;

/**
 * How many durations lie on each step of a one-percent ladder. Holds only the steps that occur, so that a window of
 * thirty of these for every line stays in kilobytes, where full histograms (kaizen's) would take a megabyte each.
 */
export class DurationBuckets {
  private readonly steps = new Map<number, number>();
  private total = 0;

  add(ms: number): void {
    const step = Math.max(0, Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / LOG_RATIO));
    this.count(step, 1);
  }

  merge(other: DurationBuckets): void {
    for (const [step, count] of other.steps) this.count(step, count);
  }

  /** Upper end of the step that holds the value at this percentile: at most one percent above it. */
  percentile(percent: number): number {
    let left = Math.ceil((percent / 100) * this.total);
    for (const step of [...this.steps.keys()].sort((a, b) => a - b)) {
      left -= this.steps.get(step)!;
      if (left <= 0) return Math.round(SMALLEST_MS * RATIO ** step * 1e3) / 1e3;
    }
    return 0;
  }

  /** Its content, for a snapshot. */
  record(): [step: number, count: number][] {
    return [...this.steps];
  }

  static restore(record: readonly [step: number, count: number][]): DurationBuckets {
    const counts = new DurationBuckets();
    for (const [step, count] of record) counts.count(step, count);
    return counts;
  }

  private count(step: number, count: number): void {
    this.steps.set(step, (this.steps.get(step) ?? 0) + count);
    this.total += count;
  }
}
