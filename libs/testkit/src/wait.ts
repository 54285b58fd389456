import { setTimeout as sleep } from 'node:timers/promises';

export class WaitTimeoutError extends Error {
  constructor(what: string, limitMs: number, last: unknown) {
    super(`${what}: not within ${limitMs} ms${last === undefined ? '' : `; last: ${JSON.stringify(last)}`}`);
    this.name = 'WaitTimeoutError';
  }
}

/** There is nothing left to wait for: thrown by a probe, it ends the wait at once. */
export class HopelessError extends Error {}

/**
 * Asks until the answer is truthy. The only way a test waits.
 * @param probe may throw: that counts as "not yet", unless it is hopeless
 * @throws WaitTimeoutError with the last answer or error; HopelessError as the probe threw it
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { limitMs = 10_000, everyMs = 20 }: { limitMs?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const until = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      if (error instanceof HopelessError) throw error;
      last = error instanceof Error ? error.message : error;
    }
    if (Date.now() > until) throw new WaitTimeoutError(what, limitMs, last);
    await sleep(everyMs);
  }
}
