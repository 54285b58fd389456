import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { freePort, waitFor } from '@tps/testkit';
import type { Fleet } from './fleet';

const MAIN = resolve(__dirname, '../../examples/own-worker/dist/main.js');

/** The example of a user's own worker as a process beside a fleet. */
export class OwnWorkerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly metricsUrl: string,
  ) {}

  /** Resolves when the worker is ready. */
  static async start(fleet: Fleet, instance: string): Promise<OwnWorkerProcess> {
    const port = await freePort();
    const env = { ...fleet.environment, METRICS_PORT: String(port), INSTANCE_ID: instance };
    const url = `http://127.0.0.1:${port}`;
    const own = new OwnWorkerProcess(spawn(process.execPath, [MAIN], { env, stdio: 'ignore' }), url);
    const ready = async (): Promise<boolean> => (await fetch(`${url}/health/ready`)).status === 200;
    await waitFor('the own worker', ready, { limitMs: 20_000 });
    return own;
  }

  /** Stops it gracefully. @returns its exit code */
  async stop(): Promise<number> {
    this.child.kill('SIGTERM');
    const [code] = (await once(this.child, 'exit')) as [number];
    return code;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
