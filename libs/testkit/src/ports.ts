import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Linux takes ports for outgoing connections from 32768 on. Below it nobody takes one of ours between its choice and its
 * use, nor while a server that is to come back on it is down.
 */
const [LOWEST, HIGHEST] = [12_000, 32_000];
const TRIES = 100;

class PortsTakenError extends Error {
  override readonly name = 'PortsTakenError';
}

/**
 * Free ports of this machine, one after another.
 * @throws PortsTakenError when there are not as many in a row
 */
export async function freePorts(count: number): Promise<number[]> {
  for (let n = 0; n < TRIES; n += 1) {
    const first = randomInt(LOWEST, HIGHEST - count);
    const ports = Array.from({ length: count }, (_, i) => first + i);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return ports;
  }
  throw new PortsTakenError(`no ${count} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** On every interface: whoever listens on one of them has the port. */
function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen({ port, exclusive: true }, () => server.close(() => done(true)));
  });
}
