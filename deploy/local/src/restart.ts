/** EX_CONFIG of sysexits.h: services exit with it when a variable is wrong. */
const EXIT_WRONG_CONFIGURATION = 78;

const FIRST_BACKOFF_MS = 250;
const MAX_DELAY_MS = 4_000;

/**
 * The first restart is immediate. Further ones wait with an exponential backoff, half of it random, so that processes that
 * died together do not start together. The maximum of 4 s lets a process be back within 5 s.
 */
export function restartDelayMs(consecutiveEnds: number, random: number): number {
  if (consecutiveEnds === 0) return 0;
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_BACKOFF_MS * 2 ** consecutiveEnds);
  return Math.round(ceiling * (0.5 + random / 2));
}

/** Some of a configuration can be checked only with NATS, for whose cluster a service waits up to 45 s. */
const FIRST_START_MS = 60_000;

/** Whether a restart is pointless: only another configuration would help, and at the first start a user sees the message. */
export function isFinal(
  code: number | null | undefined,
  { liveMs, restarts }: { liveMs: number; restarts: number },
): boolean {
  return code === EXIT_WRONG_CONFIGURATION && liveMs < FIRST_START_MS && restarts === 0;
}
