import { type ChildProcess, fork, type ForkOptions } from 'node:child_process';
import { BenchError } from './errors';

/** A process of the bench. It ends with the bench, because the channel between them closes. */
export class Child {
  readonly pid: number;
  private readonly process: ChildProcess;

  constructor(
    readonly name: string,
    file: string,
    options: {
      args?: string[];
      env?: Record<string, string>;
      stdio?: ForkOptions['stdio'];
      execArgv?: string[];
    } = {},
  ) {
    const { args = [], env = {}, stdio = 'inherit', execArgv = [] } = options;
    this.process = fork(file, args, { env: { NODE_ENV: 'production', ...env }, stdio, execArgv });
    if (this.process.pid === undefined) throw new BenchError(`${name} did not start.`);
    this.pid = this.process.pid;
  }

  get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** @throws BenchError if the process ends without a message */
  firstMessage(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.process.once('message', resolve);
      this.process.once('exit', (code) => reject(new BenchError(`${this.name} ended with code ${code}.`)));
    });
  }

  /** Terminates the process, and kills it after `limitMs`. */
  async stop(limitMs = 5_000): Promise<void> {
    if (this.ended) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    const force = setTimeout(() => this.process.kill('SIGKILL'), limitMs);
    await ended;
    clearTimeout(force);
  }
}
