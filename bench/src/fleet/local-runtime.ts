import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SERVICES } from '@tps/contracts';
import type { ServerProcess } from '../cpu';
import { BenchError } from '../errors';
import { ROOT } from '../settings';

const CLI = join(ROOT, 'deploy/local/dist/cli.js');
/** Above the limits of the runtime, so that its own message says what is wrong. */
const LIMIT_MS = 120_000;

const run = promisify(execFile);

/** Runs a fleet of the bench with the commands behind `make up` and `make down`. */
export class LocalRuntime {
  /** @param env has TPS_HOME and every port */
  constructor(private readonly env: Record<string, string> & { TPS_HOME: string }) {}

  async command(name: 'up' | 'down'): Promise<void> {
    if (!existsSync(CLI)) throw new BenchError(`${CLI} does not exist: run \`pnpm build\`.`);
    try {
      await run(process.execPath, [CLI, name], { env: this.env, timeout: LIMIT_MS });
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      throw new BenchError(`The fleet did not go ${name}: ${stderr?.trim() || message}`);
    }
  }

  /** All processes that serve. The supervisor of the runtime is left out, because it does none of the work. */
  processes(): ServerProcess[] {
    return readParts(this.env.TPS_HOME).map(({ name, pid }) => {
      if (pid === undefined) throw new BenchError(`${name} does not run.`);
      return { name, pid };
    });
  }
}

/** A process of a fleet; it has no pid while it does not run. */
export interface FleetProcess {
  name: string;
  service: string;
  pid?: number;
  ready: { url: string };
}

/**
 * Reads the file in which the runtime keeps the parts of its fleet.
 * @throws BenchError when there is none
 */
export function readParts(home: string): FleetProcess[] {
  const file = join(home, 'run', 'state.json');
  if (!existsSync(file)) throw new BenchError('No fleet of the local runtime runs: start it with `make up`.');
  const { parts } = JSON.parse(readFileSync(file, 'utf8')) as { parts: FleetProcess[] };
  return parts;
}

/** @throws BenchError when a service is missing, because the sum would not include its cost */
export function assertComplete(processes: readonly ServerProcess[]): void {
  const missing = ['nats', ...SERVICES].filter(
    (name) => !processes.some((each) => each.name.startsWith(`${name}-`)),
  );
  if (missing.length > 0) throw new BenchError(`Not in the fleet: ${missing.join(', ')}.`);
}
