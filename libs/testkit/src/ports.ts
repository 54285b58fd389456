import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Linux uses ports from 32768 on for outgoing connections. Below that no connection takes a port between its choice and its use,
 * or while the server that listens on it is restarted.
 */
const [LOWEST, HIGHEST] = [12_000, 32_000];
const TRIES = 100;

class PortsTakenError extends Error {
  override readonly name = 'PortsTakenError';
}

/**
 * Finds consecutive ports that are free on every interface.
 * @returns the ports in ascending order, between 12000 and 32000
 * @throws PortsTakenError after 100 tries
 */
export async function freePorts(count: number): Promise<number[]> {
  for (let n = 0; n < TRIES; n += 1) {
    const first = randomInt(LOWEST, HIGHEST - count);
    const ports = Array.from({ length: count }, (_, i) => first + i);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return ports;
  }
  throw new PortsTakenError(`no ${count} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

/** Finds one free port; see {@link freePorts}. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** Checks every interface, since a server on any of them occupies the port. */
function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen({ port, exclusive: true }, () => server.close(() => done(true)));
  });
}
