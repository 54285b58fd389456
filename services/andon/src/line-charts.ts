import { CHART, type LineChart, type ReplyOf, type RequestOf, WIRE_VERSION } from '@tps/contracts';
import type { LoggedOutcome } from '@tps/fleet';

/** An answer with so many full lines still fits into one message of the broker (1 MiB). */
const MAX_LINES = 150;
/** Stands for "nobody looked" in a list of whole numbers. */
const UNKNOWN = 2 ** 32 - 1;

/** The content of a ring, as a snapshot has it. */
interface RingRecord {
  finished: number[];
  failed: number[];
  waiting: number[];
  /** The latest step in it. */
  last: number;
}

/** The last hour of one line in steps: a ring of three whole numbers a step, 4.3 KB in all. */
class Ring {
  readonly finished = new Uint32Array(CHART.steps);
  readonly failed = new Uint32Array(CHART.steps);
  readonly waiting = new Uint32Array(CHART.steps).fill(UNKNOWN);
  private last = 0;

  record(): RingRecord {
    const { finished, failed, waiting, last } = this;
    return { finished: [...finished], failed: [...failed], waiting: [...waiting], last };
  }

  static restore({ finished, failed, waiting, last }: RingRecord): Ring {
    const ring = new Ring();
    ring.finished.set(finished);
    ring.failed.set(failed);
    ring.waiting.set(waiting);
    ring.last = last;
    return ring;
  }

  /** The place of a step; undefined when the ring has gone beyond it. */
  placeOf(step: number): number | undefined {
    if (step <= this.last - CHART.steps) return undefined;
    // Empties the steps in which nothing happened, because they still hold the hour before.
    for (let next = Math.max(this.last + 1, step - CHART.steps + 1); next <= step; next += 1) {
      const place = next % CHART.steps;
      this.finished[place] = this.failed[place] = 0;
      this.waiting[place] = UNKNOWN;
    }
    this.last = Math.max(this.last, step);
    return step % CHART.steps;
  }

  /** @param from the first step of the answer @param to the last one */
  chart(from: number, to: number): LineChart {
    this.placeOf(to);
    const places = Array.from({ length: to - from + 1 }, (_, i) => (from + i) % CHART.steps);
    return {
      finished: places.map((place) => this.finished[place]!),
      failed: places.map((place) => this.failed[place]!),
      waiting: places.map((place) => (this.waiting[place] === UNKNOWN ? null : this.waiting[place]!)),
    };
  }
}

/** The charts of all lines, as a snapshot has them. */
export type ChartsRecord = [line: string, ring: RingRecord][];

/**
 * The last hour of each line, for the charts of the board. Finished signals come from the log. Waiting signals are known
 * only from looks at the queue, so they have a gap while andon does not run.
 */
export class LineCharts {
  private readonly rings = new Map<string, Ring>();

  take({ outcome, timeMs, superseded }: LoggedOutcome): void {
    const { final, status, signal_type } = outcome;
    if (superseded || !final || (status !== 'succeeded' && status !== 'failed')) return;
    const ring = this.ringOf(signal_type);
    const place = ring.placeOf(stepOf(timeMs));
    if (place === undefined) return;
    ring.finished[place]! += 1;
    if (status === 'failed') ring.failed[place]! += 1;
  }

  /** The log is another one. */
  restart(): void {
    this.rings.clear();
  }

  record(): ChartsRecord {
    return [...this.rings].map(([line, ring]) => [line, ring.record()]);
  }

  restore(record: ChartsRecord): void {
    for (const [line, ring] of record) this.rings.set(line, Ring.restore(ring));
  }

  /** @param count signals of the line that wait at this moment */
  sample(line: string, count: number, nowMs: number): void {
    const ring = this.ringOf(line);
    const place = ring.placeOf(stepOf(nowMs));
    if (place !== undefined) ring.waiting[place] = count;
  }

  /** Drops lines that the board does not show any more. */
  keepOnly(lines: ReadonlySet<string>): void {
    for (const line of this.rings.keys()) if (!lines.has(line)) this.rings.delete(line);
  }

  answer({ type }: RequestOf<'charts'>, nowMs: number): ReplyOf<'charts'> {
    const to = stepOf(nowMs);
    const from = to - CHART.steps + 1;
    const charts = [...this.rings]
      .filter(([line]) => type === undefined || line === type)
      .map(([line, ring]) => ({ line, chart: ring.chart(from, to) }))
      .map((each) => ({ ...each, work: sum(each.chart.finished) + sum(each.chart.waiting) }))
      .filter(({ work }) => work > 0)
      .sort((a, b) => b.work - a.work);
    const shown = charts.slice(0, MAX_LINES);
    const first = Math.min(CHART.steps - 1, ...shown.map(({ chart }) => firstFigure(chart)));
    return {
      v: WIRE_VERSION,
      step_ms: CHART.stepMs,
      from: new Date((from + first) * CHART.stepMs).toISOString(),
      lines: Object.fromEntries(shown.map(({ line, chart }) => [line, since(chart, first)])),
      left_out: charts.length - shown.length,
    };
  }

  private ringOf(line: string): Ring {
    const ring = this.rings.get(line) ?? new Ring();
    this.rings.set(line, ring);
    return ring;
  }
}

const stepOf = (timeMs: number): number => Math.floor(timeMs / CHART.stepMs);
const sum = (figures: readonly (number | null)[]): number =>
  figures.reduce<number>((total, figure) => total + (figure ?? 0), 0);

/** The first step with a figure. Earlier steps are not sent. */
function firstFigure({ finished, waiting }: LineChart): number {
  return finished.findIndex((count, step) => count > 0 || waiting[step] !== null);
}

function since({ finished, failed, waiting }: LineChart, first: number): LineChart {
  return { finished: finished.slice(first), failed: failed.slice(first), waiting: waiting.slice(first) };
}
