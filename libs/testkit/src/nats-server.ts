import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { endProcess, hasEnded } from './child-process';
import { freePort } from './ports';
import { StopWaitingError, waitFor } from './wait';

/** The program of a broker is not installed. The message names the folders that were searched. */
export class BinaryMissingError extends Error {
  constructor(name: string, searched: string[]) {
    super(`${name} is not in ${searched.join(', ')}; \`make test\` installs it`);
    this.name = 'BinaryMissingError';
  }
}

/** The broker ended by itself, or one of its commands failed. The message contains its output. */
export class BrokerError extends StopWaitingError {
  override readonly name = 'BrokerError';
}

function findNatsServer(): string {
  const tools = resolve(__dirname, '../../../.tps/tools/nats-server');
  const folders = [...(process.env.PATH ?? '').split(delimiter), tools, join(tools, 'usr/sbin'), '/usr/sbin'];
  const found = folders.map((folder) => join(folder, 'nats-server')).find((path) => existsSync(path));
  if (!found) throw new BinaryMissingError('nats-server', folders);
  return found;
}

/** Additions to the command line of {@link NatsServer}. */
export interface NatsServerOptions {
  /** Path of a configuration file. Address, port and store stay those of the test. Default: none. */
  config?: string;
  /** Further arguments. Default: none. */
  args?: string[];
  /** Variables for the configuration file, on top of the test's own environment. Default: none. */
  env?: Record<string, string>;
}

/** A real nats-server with JetStream on a free port of 127.0.0.1, with a store of its own. Start one per test file. */
export class NatsServer {
  private child: ChildProcess | null = null;
  private log = '';

  private constructor(
    readonly port: number,
    private readonly store: string,
    private readonly options: NatsServerOptions,
  ) {}

  /**
   * Starts a server with an empty store.
   * @throws BinaryMissingError if nats-server is not installed; BrokerError with its log if it ends by itself
   */
  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), await mkdtemp(join(tmpdir(), 'tps-nats-')), options);
    try {
      await server.restart();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Address for `NATS_URL`. */
  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Process id; undefined while the server is down. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** The last 100,000 characters of its log. */
  get output(): string {
    return this.log;
  }

  /** Stops the server if it runs, and starts it on the same port with the same store. */
  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    const args = ['-js', '-a', '127.0.0.1', '-p', String(this.port), '-sd', this.store];
    const { config, env = {}, args: more = [] } = this.options;
    if (config) args.push('-c', config);
    args.push(...more);
    const child = spawn(findNatsServer(), args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    child.stderr.on('data', (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-100_000)));
    await waitFor(`nats-server on port ${this.port}`, () => {
      if (hasEnded(child)) throw new BrokerError(`nats-server ended:\n${this.log}`);
      return this.answers();
    });
  }

  /** Kills it and starts it again with an empty store, as after a lost volume. */
  async loseStore(): Promise<void> {
    await this.kill();
    await rm(this.store, { recursive: true, force: true });
    await this.restart();
  }

  /** Sends a signal and waits for the end of the process. The store stays. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    this.child = null;
    await endProcess(child, signal);
  }

  /**
   * Makes the server hang (SIGSTOP), and waits until every thread has stopped: until then it may still answer. Linux only.
   * @throws BrokerError if the server does not run
   */
  async freeze(): Promise<void> {
    const { child } = this;
    if (!child?.pid) throw new BrokerError('nats-server does not run');
    child.kill('SIGSTOP');
    const tasks = `/proc/${child.pid}/task`;
    await waitFor('nats-server to hang', async () => {
      const stats = (await readdir(tasks)).map((id) => readFile(join(tasks, id, 'stat'), 'utf8'));
      // "1234 (nats-server) T ..."
      return (await Promise.all(stats)).every((stat) => stat.includes(') T '));
    });
  }

  /** Lets a frozen server go on (SIGCONT). */
  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  /** Kills the server and deletes its store. */
  async stop(): Promise<void> {
    await this.kill('SIGKILL');
    await rm(this.store, { recursive: true, force: true });
  }

  private answers(): Promise<boolean> {
    return new Promise((done) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('data', () => (socket.destroy(), done(true)));
      socket.once('error', () => done(false));
    });
  }
}
