import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { endProcess, hasEnded } from './child-process';
import { BinaryMissingError, BrokerError } from './nats-server';
import { freePorts } from './ports';
import { waitFor } from './wait';

interface Installation {
  server: string;
  control: string;
  /** Folder of `erl` and `epmd`. */
  erlang: string;
}

const FETCHED = resolve(__dirname, '../../../.tps/tools/rabbitmq/usr/lib');
const HOST = '127.0.0.1';
const START_LIMIT_MS = 60_000;
const AMQP_GREETING = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');

/** Finds the programs. The script in /usr/sbin does not help: it changes to a user who may not write to our folder. */
function installation(): Installation | undefined {
  const folders = [
    { rabbit: '/usr/lib/rabbitmq/bin', erlang: '/usr/lib/erlang/bin' },
    { rabbit: join(FETCHED, 'rabbitmq/bin'), erlang: join(FETCHED, 'erlang/bin') },
  ];
  const found = folders.find(
    ({ rabbit, erlang }) => existsSync(join(rabbit, 'rabbitmq-server')) && existsSync(join(erlang, 'epmd')),
  );
  if (!found) return undefined;
  const { rabbit, erlang } = found;
  return { server: join(rabbit, 'rabbitmq-server'), control: join(rabbit, 'rabbitmqctl'), erlang };
}

/** A real RabbitMQ on free ports of 127.0.0.1, with its own node name, epmd and data. Start one per test file. */
export class RabbitServer {
  private child: ChildProcess | null = null;
  private epmd: ChildProcess | null = null;
  private log = '';

  private constructor(
    private readonly programs: Installation,
    readonly ports: { amqp: number; dist: number; epmd: number },
    private readonly home: string,
  ) {}

  /**
   * Whether RabbitMQ is installed. If not, it warns on the console, because a skipped test must not look like a passed one.
   * @throws BinaryMissingError if it is not installed and `CI` is set: tests that decide on a change must not be skipped
   */
  static get isInstalled(): boolean {
    const installed = installation() !== undefined;
    if (!installed && process.env.CI) throw new BinaryMissingError('rabbitmq-server', ['.tps/tools', 'PATH']);
    if (!installed)
      console.warn('RabbitMQ is not installed: tests of the backup are SKIPPED (make test fetches it)');
    return installed;
  }

  /** Like `describe` of jest. Without RabbitMQ it skips the tests and says so in their name. */
  static describe(name: string, tests: () => void): void {
    if (RabbitServer.isInstalled) describe(name, tests);
    else describe.skip(`${name}: skipped, no rabbitmq-server`, tests);
  }

  /**
   * Starts a broker without queues; takes some seconds, at most 60.
   * @throws BinaryMissingError if RabbitMQ is not installed; BrokerError with its log if it ends by itself
   */
  static async start(): Promise<RabbitServer> {
    const programs = installation();
    if (!programs) throw new BinaryMissingError('rabbitmq-server', ['.tps/tools', 'PATH']);
    const [amqp = 0, dist = 0, epmd = 0] = await freePorts(3);
    const server = new RabbitServer(
      programs,
      { amqp, dist, epmd },
      await mkdtemp(join(tmpdir(), 'tps-rabbit-')),
    );
    try {
      await server.restart();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Address for `RABBITMQ_URL`. */
  get url(): string {
    return `amqp://guest:guest@${HOST}:${this.ports.amqp}`;
  }

  /** Process id; undefined while the broker is down. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Stops the broker if it runs, and starts it on the same port with the same data. */
  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    await this.writeConfig();
    this.epmd ??= spawn(
      join(this.programs.erlang, 'epmd'),
      ['-port', `${this.ports.epmd}`, '-address', HOST],
      {
        stdio: 'ignore',
      },
    );
    const child = spawn(this.programs.server, [], {
      env: this.environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-10_000)));
    }
    await waitFor(
      `RabbitMQ on port ${this.ports.amqp}`,
      () => {
        if (hasEnded(child)) throw new BrokerError(`RabbitMQ ended:\n${this.log}`);
        return this.answers();
      },
      { limitMs: START_LIMIT_MS, everyMs: 100 },
    );
  }

  /**
   * Flushes the list of queues to disk. RabbitMQ does this by itself only after some seconds, and a quorum queue that is not yet
   * on disk when the broker is killed comes back without a leader (seen with 3.10).
   */
  async writeQueuesDown(): Promise<void> {
    await this.control('eval', '[dets:sync(Table) || Table <- dets:all()].');
  }

  /** Sends a signal and waits for the end of the process. The data stays. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    this.child = null;
    await endProcess(child, signal);
  }

  /**
   * Runs `rabbitmqctl`.
   * @returns its output
   * @throws BrokerError with its output if it fails
   */
  control(...args: string[]): Promise<string> {
    return new Promise((done, reject) => {
      const child = spawn(this.programs.control, args, {
        env: this.environment(),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      }
      child.once('error', reject);
      child.once('exit', (code) => (code === 0 ? done(output) : reject(new BrokerError(output))));
    });
  }

  /** Kills the broker and deletes its data. */
  async stop(): Promise<void> {
    await this.kill('SIGKILL');
    await endProcess(this.epmd, 'SIGKILL');
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  private async writeConfig(): Promise<void> {
    await mkdir(this.home, { recursive: true });
    const lines = [
      `listeners.tcp.1 = ${HOST}:${this.ports.amqp}`,
      'default_user = guest',
      'default_pass = guest',
      'log.connection.level = none',
    ];
    await writeFile(join(this.home, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
    await writeFile(join(this.home, 'rabbitmq-env.conf'), '');
    await writeFile(join(this.home, 'enabled_plugins'), '[].\n');
  }

  private environment(): NodeJS.ProcessEnv {
    const { home, ports } = this;
    return {
      PATH: [this.programs.erlang, process.env.PATH ?? ''].join(delimiter),
      HOME: home,
      LANG: 'C.UTF-8',
      ERL_CRASH_DUMP_SECONDS: '0',
      ERL_EPMD_PORT: String(ports.epmd),
      RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq.conf'),
      RABBITMQ_CONF_ENV_FILE: join(home, 'rabbitmq-env.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
      RABBITMQ_DIST_PORT: String(ports.dist),
      RABBITMQ_LOGS: '-',
      RABBITMQ_LOG_BASE: home,
      RABBITMQ_MNESIA_BASE: home,
      RABBITMQ_NODENAME: `tps-${ports.amqp}@localhost`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none',
      // The start script becomes the Erlang VM: signals reach the broker.
      RUNNING_UNDER_SYSTEMD: 'true',
    };
  }

  private answers(): Promise<boolean> {
    return new Promise((done) => {
      const socket = connect(this.ports.amqp, HOST, () => socket.write(AMQP_GREETING));
      socket.once('data', () => (socket.destroy(), done(true)));
      socket.once('error', () => done(false));
      socket.once('close', () => done(false));
    });
  }
}
