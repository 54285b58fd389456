import { setTimeout as sleep } from 'node:timers/promises';

const PROBE_MS = 20;

/** Waits until a condition holds, at most for the limit. */
export async function until(probe: () => boolean, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  while (!probe() && Date.now() < end) await sleep(PROBE_MS);
}
