import { setTimeout as sleep } from 'node:timers/promises';

/** The limit of {@link waitFor} has passed. The message has the last answer of the probe, or its last error. */
export class WaitTimeoutError extends Error {
  constructor(what: string, limitMs: number, last: unknown) {
    super(`${what}: not within ${limitMs} ms${last === undefined ? '' : `; last: ${JSON.stringify(last)}`}`);
    this.name = 'WaitTimeoutError';
  }
}

/** Thrown by a probe, it ends the wait at once: there is nothing left to wait for. */
export class StopWaitingError extends Error {}

/**
 * Calls a probe until its answer is truthy. Tests wait in no other way.
 * @param what the awaited event, for the message of the error
 * @param probe may throw, which counts as "not yet" unless it is a StopWaitingError
 * @param limits `limitMs` (default 10,000) ends the wait; `everyMs` (default 20) is the pause between two calls
 * @returns the truthy answer
 * @throws WaitTimeoutError after `limitMs`; StopWaitingError as the probe threw it
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  limits: { limitMs?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const { limitMs = 10_000, everyMs = 20 } = limits;
  const until = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      if (error instanceof StopWaitingError) throw error;
      last = error instanceof Error ? error.message : error;
    }
    if (Date.now() > until) throw new WaitTimeoutError(what, limitMs, last);
    await sleep(everyMs);
  }
}
