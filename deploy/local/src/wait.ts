import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/** Waits until `condition` holds. @returns false if it does not within `limitMs` */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
  pollMs = POLL_MS,
): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() >= deadline) return false;
    await sleep(pollMs);
  }
  return true;
}
