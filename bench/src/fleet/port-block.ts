import { createServer } from 'node:net';
import { BenchError } from '../errors';

/** Below the range from which Linux takes ports for outgoing connections. */
const [LOWEST, HIGHEST] = [20_000, 31_000];
const TRIES = 50;

/** The first of `count` ports in a row that nobody listens on: the local runtime counts its ports up from one. */
export async function freePortBlock(count: number): Promise<number> {
  for (let n = 0; n < TRIES; n += 1) {
    const first = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (free.every(Boolean)) return first;
  }
  throw new BenchError(`There are no ${count} free ports in a row between ${LOWEST} and ${HIGHEST}.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
