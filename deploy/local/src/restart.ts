/** sysexits.h EX_CONFIG: the services end with it when a variable is wrong. */
const EXIT_WRONG_CONFIGURATION = 78;

const FIRST_BACKOFF_MS = 250;
const MAX_DELAY_MS = 4_000;

/**
 * The first restart comes at once; the next ones wait ever longer, half of it by chance, so that what
 * died together does not start together. Never above 4 s: what died is back within 5.
 */
export function restartDelayMs(restartsInARow: number, random: number): number {
  if (restartsInARow === 0) return 0;
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_BACKOFF_MS * 2 ** restartsInARow);
  return Math.round(ceiling * (0.5 + random / 2));
}

/** Nothing but another configuration would help, and at the first start a person is there to hear it. */
export function isFinal(
  code: number | null | undefined,
  { wasLive, restarts }: { wasLive: boolean; restarts: number },
): boolean {
  return code === EXIT_WRONG_CONFIGURATION && !wasLive && restarts === 0;
}
