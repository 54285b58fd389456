import { rank, type Assessment } from './assessment';

/** A colour is left below this share of its threshold, so that a steady value beside it does not flicker. */
const LEAVE = 0.8;

/**
 * The colour of a figure: YELLOW from its first limit on, RED above its second one. Undefined below both.
 *
 * @param light the present light, and the rule that asks: only its own colour is harder to leave
 */
export function colourOf(
  value: number,
  limits: { yellow: number; red: number },
  { rule, shown }: { rule: string; shown: Pick<Assessment, 'colour' | 'rule'> | undefined },
): 'YELLOW' | 'RED' | undefined {
  const current = shown?.rule === rule ? shown.colour : 'GREEN';
  const red = current === 'RED' ? limits.red * LEAVE : limits.red;
  const yellow = rank(current) > 0 ? limits.yellow * LEAVE : limits.yellow;
  if (value > red) return 'RED';
  return value >= yellow ? 'YELLOW' : undefined;
}
