import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import type { DurationFigures, TotalsRecord } from '@tps/contracts';

const MICROS = 1_000;
/** Longer than any signal may wait. The limit keeps a wrong clock from growing the histogram. */
const LONGEST_MS = 48 * 3_600_000;

/**
 * Durations as a histogram of microseconds with three exact digits, so that percentiles cover all values instead of a
 * sample. In plain JavaScript (no WASM) it grows with the largest value: 30 kB up to 50 ms, 65 kB up to 30 s, 120 kB at
 * the limit. The sum is kept beside it, because the histogram's own mean is that of rounded values.
 */
export class Durations {
  private readonly histogram = build();
  /** The histogram as text, until a value comes: a histogram without changes is not encoded again. */
  private encoded: string | undefined;
  private maxMs = 0;
  sumMs = 0;

  static restore({ values, sum_ms, max_ms }: TotalsRecord['work']): Durations {
    const durations = new Durations();
    // A decoded histogram does not grow, so its values go into one that does.
    durations.histogram.add(decodeFromCompressedBase64(values));
    durations.encoded = values;
    durations.sumMs = sum_ms;
    durations.maxMs = max_ms;
    return durations;
  }

  record(): TotalsRecord['work'] {
    this.encoded ??= encodeIntoCompressedBase64(this.histogram);
    return { values: this.encoded, sum_ms: this.sumMs, max_ms: this.maxMs };
  }

  get count(): number {
    return this.histogram.totalCount;
  }

  add(ms: number): void {
    const known = Math.min(Math.max(ms, 0), LONGEST_MS);
    this.histogram.recordValue(Math.round(known * MICROS));
    this.encoded = undefined;
    this.sumMs += known;
    this.maxMs = Math.max(this.maxMs, known);
  }

  figures(): DurationFigures {
    return {
      avg_ms: this.count === 0 ? 0 : round(this.sumMs / this.count),
      p50_ms: this.percentile(50),
      p95_ms: this.percentile(95),
      p99_ms: this.percentile(99),
      max_ms: round(this.maxMs),
    };
  }

  /** Limited to the largest value, because the histogram answers with the upper end of a bucket. */
  private percentile(percent: number): number {
    return round(Math.min(this.histogram.getValueAtPercentile(percent) / MICROS, this.maxMs));
  }
}

/** Rounds to three decimals: to microseconds for a duration. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : round((100 * part) / whole);
}
