import type { Colour } from './criteria';

/** One of the guide's three load tests. */
export interface LoadProfile {
  title: string;
  /** Signals per second. */
  rate: number;
  seconds: number;
  exitCodes: Record<Colour, number>;
}

const STRICT = { green: 0, yellow: 1, red: 2 };

export const PROFILES: Readonly<Record<string, LoadProfile>> = {
  load: { title: 'normal load', rate: 100, seconds: 60, exitCodes: STRICT },
  // A spike is meant to fill the queue, so yellow is expected.
  spike: { title: 'traffic spike', rate: 1_000, seconds: 10, exitCodes: { ...STRICT, yellow: 0 } },
  stress: { title: 'sustained stress', rate: 500, seconds: 30, exitCodes: STRICT },
};
