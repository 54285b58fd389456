import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_WAIT_MS = 50;
const WAIT_CAP_MS = 400;
/** A service is back from a restart in about a second; longer than this nobody should wait for an answer that may be no. */
const PATIENCE_MS = 3_000;

/**
 * Asks again while the one who would answer is only being restarted: nobody listens, and yet it was heard a moment ago.
 *
 * @param isAway whether this answer means that the question surely did not arrive
 * @param lives whether the service was heard lately
 */
export async function retryWhileRestarting<A>(
  ask: () => Promise<A>,
  isAway: (answer: A) => boolean,
  lives: () => boolean,
): Promise<A> {
  const until = Date.now() + PATIENCE_MS;
  let answer = await ask();
  for (let waitMs = FIRST_WAIT_MS; isAway(answer) && lives() && Date.now() < until;) {
    await sleep(waitMs * (0.5 + Math.random() / 2));
    waitMs = Math.min(waitMs * 2, WAIT_CAP_MS);
    answer = await ask();
  }
  return answer;
}
