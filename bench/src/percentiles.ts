export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Exact percentiles by nearest rank, so each is one of the values. NaN without values. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  return {
    p50: nearestRank(sorted, 0.5),
    p95: nearestRank(sorted, 0.95),
    p99: nearestRank(sorted, 0.99),
    max: nearestRank(sorted, 1),
  };
}

/** Median and range of a figure over a few rounds. The median of an even number of rounds is the mean of the middle two. */
export function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? NaN;
  const high = sorted[Math.floor(middle)] ?? NaN;
  return { median: (low + high) / 2, min: sorted[0] ?? NaN, max: sorted.at(-1) ?? NaN };
}

function nearestRank(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
