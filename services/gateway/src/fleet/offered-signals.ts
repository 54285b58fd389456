/** The window in seconds. */
const WINDOW_S = 300;
const RATE_S = 10;

interface TypeCounts {
  total: number;
  /** One counter for each second of the window. */
  readonly ring: Uint32Array;
  /** The sum of the ring. */
  recent: number;
  /** The latest second that the ring covers, since 1970. */
  second: number;
  /** The first signal after a window without any. */
  firstMs: number;
}

/**
 * Counts signals by type, in all and over the last five minutes. One increment for each signal, because it stands in the
 * way of every POST. Unknown types are refused earlier, so the number of types is bounded. A restart forgets the counts.
 */
class CountsByType {
  private readonly types = new Map<string, TypeCounts>();

  add(type: string, nowMs: number): void {
    const counts = this.types.get(type) ?? this.begin(type, nowMs);
    advance(counts, nowMs);
    if (counts.recent === 0) counts.firstMs = nowMs;
    counts.total += 1;
    counts.recent += 1;
    counts.ring[counts.second % WINDOW_S]! += 1;
  }

  /** The last five minutes; types without any signal are absent. */
  recent(nowMs: number): Record<string, number> {
    return this.collect(nowMs, ({ recent }) => recent);
  }

  /** Signals per second over the last ten seconds, or since the first signal if that is less. */
  perSecond(nowMs: number): Record<string, number> {
    return this.collect(nowMs, ({ ring, second, firstMs }) => {
      let count = 0;
      for (let s = second - RATE_S; s <= second; s += 1) count += ring[s % WINDOW_S]!;
      const covered = RATE_S + (nowMs % 1_000) / 1_000;
      const seconds = Math.min(covered, Math.max(1, (nowMs - firstMs) / 1_000));
      return Math.round((10 * count) / seconds) / 10;
    });
  }

  /** Counted since the process began. */
  totals(): [type: string, total: number][] {
    return [...this.types].map(([type, { total }]) => [type, total]);
  }

  private begin(type: string, nowMs: number): TypeCounts {
    const ring = new Uint32Array(WINDOW_S);
    const counts = { total: 0, ring, recent: 0, second: secondOf(nowMs), firstMs: nowMs };
    this.types.set(type, counts);
    return counts;
  }

  private collect(nowMs: number, figure: (counts: TypeCounts) => number): Record<string, number> {
    const figures: Record<string, number> = {};
    for (const [type, counts] of this.types) {
      advance(counts, nowMs);
      if (counts.recent > 0) figures[type] = figure(counts);
    }
    return figures;
  }
}

function secondOf(nowMs: number): number {
  return Math.floor(nowMs / 1_000);
}

/** Empties the counters of the seconds that have begun since. A clock that goes back adds to the latest second. */
function advance(counts: TypeCounts, nowMs: number): void {
  const now = secondOf(nowMs);
  const from = Math.max(counts.second, now - WINDOW_S);
  for (let second = from + 1; second <= now; second += 1) {
    counts.recent -= counts.ring[second % WINDOW_S]!;
    counts.ring[second % WINDOW_S] = 0;
  }
  counts.second = Math.max(counts.second, now);
}

/** The signals that clients offered to this gateway, and those that it refused. */
export class OfferedSignals {
  readonly offered = new CountsByType();
  /** Refused because their line was stopped or the queue took none. */
  readonly refused = new CountsByType();
  /** Refused for want of room; `refused` counts them, too. */
  readonly full = new CountsByType();
}
