import { join } from 'node:path';
import { Child } from '../child';
import { BenchError } from '../errors';
import { PEERS_FOLDER } from '../settings';
import type { Teardown } from '../teardown';

/** The broker of a peer is not on this machine. */
export class BrokerMissingError extends BenchError {
  constructor(program: string) {
    super(`${program} is not installed (Debian: apt-get install ${program})`);
  }
}

/**
 * Starts a process of a peer.
 * @param file relative to bench/peers
 */
export function startProgram(name: string, file: string, args: string[], teardown: Teardown): Child {
  const child = new Child(name, join(PEERS_FOLDER, file), { args });
  teardown.add(() => child.stop());
  return child;
}
