/** Computes for seconds; `inThread` runs it. */
import { parentPort, workerData } from 'node:worker_threads';

function primesBelow(limit: number): number {
  let count = 0;
  for (let n = 2; n < limit; n += 1) {
    let divisor = 2;
    while (divisor * divisor <= n && n % divisor !== 0) divisor += 1;
    if (divisor * divisor > n) count += 1;
  }
  return count;
}

parentPort?.postMessage(primesBelow(workerData as number));
