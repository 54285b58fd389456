import { rank, type Verdict } from './judgement';

/** A light that is on: its colour, why, and since when. */
export interface Light extends Verdict {
  sinceMs: number;
  /** Evaluations in a row that found it better than it shows. */
  better: number;
}

/** A better colour must be found so often in a row before the light shows it: no flicker at a threshold. */
const HOLD = 2;

/** Worse at once, better only when it lasts. The reason of an unchanged colour is kept up to date. */
export function advance(light: Light, verdict: Verdict, nowMs: number): Light {
  const change = rank(verdict.colour) - rank(light.colour);
  if (change === 0) return { ...verdict, sinceMs: light.sinceMs, better: 0 };
  if (change < 0 && light.better + 1 < HOLD) return { ...light, better: light.better + 1 };
  return { ...verdict, sinceMs: nowMs, better: 0 };
}
