import { setTimeout as sleep } from 'node:timers/promises';
import { pauseMs } from '@tps/bus';

const BACKOFF = { firstMs: 50, capMs: 400 };
/** A service needs about a second to restart. Waiting much longer for what may be a refusal helps no caller. */
const LIMIT_MS = 3_000;

/**
 * Repeats a request while its service restarts: nothing listens for it, and yet its heartbeat was seen a moment ago.
 *
 * @param neverArrived tells from the answer that the request certainly did not arrive
 * @param isAlive whether the service's heartbeat was seen lately
 */
export async function retryWhileRestarting<A>(
  send: () => Promise<A>,
  neverArrived: (answer: A) => boolean,
  isAlive: () => boolean,
): Promise<A> {
  const until = Date.now() + LIMIT_MS;
  let answer = await send();
  for (let tries = 1; neverArrived(answer) && isAlive() && Date.now() < until; tries += 1) {
    await sleep(pauseMs(BACKOFF, tries));
    answer = await send();
  }
  return answer;
}
