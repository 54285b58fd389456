import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SERVICES } from '@tps/contracts';
import type { ServerProcess } from '../cpu';
import { BenchError } from '../errors';
import { ROOT } from '../settings';

const CLI = join(ROOT, 'deploy/local/dist/cli.js');
/** Above the runtime's own limits, so that it is the one to say what is wrong. */
const LIMIT_MS = 120_000;

const run = promisify(execFile);

/** A fleet of one's own, by the same commands that `make up` and `make down` are. */
export class LocalRuntime {
  /** @param env with TPS_HOME, and every port */
  constructor(private readonly env: Record<string, string> & { TPS_HOME: string }) {}

  async command(name: 'up' | 'down'): Promise<void> {
    if (!existsSync(CLI)) throw new BenchError(`${CLI} is not there: \`pnpm build\` makes it.`);
    try {
      await run(process.execPath, [CLI, name], { env: this.env, timeout: LIMIT_MS });
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      throw new BenchError(`The fleet did not go ${name}: ${stderr?.trim() || message}`);
    }
  }

  /** Who serves, by the file in which the runtime keeps that. Its supervisor is no part of the work. */
  processes(): ServerProcess[] {
    const file = readFileSync(join(this.env.TPS_HOME, 'run', 'state.json'), 'utf8');
    const { parts } = JSON.parse(file) as { parts: { name: string; service: string; pid?: number }[] };
    return parts.map(({ name, pid }) => {
      if (pid === undefined) throw new BenchError(`${name} does not run.`);
      return { name, pid };
    });
  }
}

/** @throws BenchError when a service is not among the processes: its cost would be missing from the sum */
export function assertWhole(processes: readonly ServerProcess[]): void {
  const missing = ['nats', ...SERVICES].filter(
    (name) => !processes.some((each) => each.name.startsWith(`${name}-`)),
  );
  if (missing.length > 0) throw new BenchError(`Not in the fleet: ${missing.join(', ')}.`);
}
