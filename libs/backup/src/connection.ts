import { readConfigFile } from '@tps/service';
import type { Logger } from '@tps/telemetry';
import {
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type Options,
  type RecoveringChannelModel,
} from 'amqplib';

/** How to connect to RabbitMQ, and what to do when the connection comes and goes. */
export interface BackupConnectionOptions {
  /** `amqp://` or `amqps://`. A `heartbeat` parameter of the URL wins over the default of 5 s. */
  url: string;
  /** Path of CA certificates (PEM) that verify the broker of an `amqps://` URL. Default: the certificates of the system. */
  caFile?: string;
  /** Name of the backup queue. */
  queue: string;
  /** Maximum number of waiting messages. It applies only if this process creates the queue. */
  maxLength: number;
  /** Name of the connection in the broker's list. */
  name: string;
  log: Logger;
  /** Called with every new channel before it counts as open. Default: nothing. */
  onOpen?: (channel: ConfirmChannel) => Promise<void>;
  /** Called when the channel is gone, with everything unconfirmed or unacknowledged on it. Default: nothing. */
  onLost?: () => void;
}

/** RabbitMQ is not connected, or does not answer in time. */
class BackupUnavailableError extends Error {
  override readonly name = 'BackupUnavailableError';
}

const CONNECT_LIMIT_MS = 3_000;
/** Setting up needs a limit, because a queue without a leader never answers. */
const SETUP_LIMIT_MS = 5_000;
const COUNT_LIMIT_MS = 1_000;
const HEARTBEAT_S = 5;
const NOT_FOUND = 404;

/**
 * A connection to RabbitMQ with one confirm channel and the backup queue declared. It reconnects for ever, after 250 ms to 2 s.
 * When the channel ends it ends the connection too, so that the next connection starts from scratch.
 */
export class BackupConnection {
  /** The confirm channel; undefined while there is no connection. */
  channel: ConfirmChannel | undefined;
  /** Why the broker takes no messages (low disk, low memory); undefined while it takes them. */
  blocked: string | undefined;
  private model: RecoveringChannelModel | undefined;
  private closed = false;
  private failing = false;

  constructor(private readonly options: BackupConnectionOptions) {}

  /** Creates a connection and starts connecting. Throws as `connect` does. */
  static async open(options: BackupConnectionOptions): Promise<BackupConnection> {
    const connection = new BackupConnection(options);
    await connection.connect();
    return connection;
  }

  /** Whether the channel is open. */
  get connected(): boolean {
    return this.channel !== undefined;
  }

  /**
   * Counts the messages that wait in the queue, without delivered ones that are not acknowledged yet.
   * @throws BackupUnavailableError if RabbitMQ is not connected or does not answer within a second
   */
  async queuedMessages(): Promise<number> {
    if (!this.channel) throw new BackupUnavailableError('not connected to RabbitMQ');
    return (await within(COUNT_LIMIT_MS, this.channel.checkQueue(this.options.queue))).messageCount;
  }

  /** Closes the connection for good. */
  async close(): Promise<void> {
    this.closed = true;
    await this.model?.close();
    this.onLost();
  }

  /**
   * Starts connecting and returns at once, because the broker may be down when the service starts.
   *
   * @throws ConfigError if the certificates cannot be read
   */
  async connect(): Promise<void> {
    const { url, caFile, name, log } = this.options;
    const model = await connect(withHeartbeat(url), {
      timeout: CONNECT_LIMIT_MS,
      noDelay: true,
      ...(caFile ? { ca: [readConfigFile('RABBITMQ_CA_FILE', caFile)] } : {}),
      clientProperties: { connection_name: name },
      recovery: {
        initialDelay: 250,
        maxDelay: 2_000,
        jitter: 0.5,
        waitForConnect: false,
        setup: (opened: ChannelModel) => within(SETUP_LIMIT_MS, this.setUp(opened)),
      },
    });
    this.model = model;
    model.on('connect', () => {
      this.failing = false;
      log.info('connected to RabbitMQ');
    });
    model.on('connect-failed', (error: Error) => this.logOnce('no connection to RabbitMQ', error));
    model.on('disconnect', (error: Error) => {
      this.onLost();
      if (!this.closed) this.logOnce('connection to RabbitMQ lost', error);
    });
    model.on('blocked', (reason: string) => {
      this.blocked = reason;
      log.warn('RabbitMQ blocks publishers', { reason });
    });
    model.on('unblocked', () => (this.blocked = undefined));
    model.on('error', (error: Error) => this.logOnce('RabbitMQ connection failed', error));
  }

  private async setUp(model: ChannelModel): Promise<void> {
    // The recovering connection handles errors only once this function has returned.
    model.on('error', (error: Error) => this.logOnce('RabbitMQ connection failed', error));
    await this.declare(model);
    const channel = await this.openChannel(model);
    await this.options.onOpen?.(channel);
    channel.on('close', () => {
      this.onLost();
      void model.close().catch(() => undefined);
    });
    this.channel = channel;
  }

  /** Uses an existing queue as it is, because declaring it again with other limits is an error. */
  private async declare(model: ChannelModel): Promise<void> {
    const { queue, maxLength } = this.options;
    const checking = await this.openChannel(model);
    try {
      await checking.checkQueue(queue);
      return await checking.close();
    } catch (error) {
      if ((error as { code?: number }).code !== NOT_FOUND) throw error;
    }
    const declaring = await this.openChannel(model);
    await declaring.assertQueue(queue, queueOptions(model.connection.serverProperties.version, maxLength));
    await declaring.close();
  }

  private async openChannel(model: ChannelModel): Promise<ConfirmChannel> {
    const channel = await model.createConfirmChannel();
    channel.on('error', (error: Error) => this.logOnce('RabbitMQ channel failed', error));
    return channel;
  }

  private onLost(): void {
    if (!this.channel) return;
    this.channel = undefined;
    this.blocked = undefined;
    this.options.onLost?.();
  }

  /** Logs once per outage, because the connection is tried again every two seconds. */
  private logOnce(message: string, error: Error): void {
    if ((error as { code?: number }).code === NOT_FOUND) return;
    if (!this.failing) this.options.log.warn(message, { error });
    this.failing = true;
  }
}

/**
 * The queue is durable and, at its limit, refuses new messages instead of dropping old ones. Only one consumer is active at a
 * time, so one replica of kanban drains it, and the next takes over when that replica goes.
 */
function queueOptions(version: string, maxLength: number): Options.AssertQueue {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const quorum = major > 3 || (major === 3 && minor >= 8);
  return {
    durable: true,
    arguments: {
      'x-max-length': maxLength,
      'x-overflow': 'reject-publish',
      'x-single-active-consumer': true,
      ...(quorum ? { 'x-queue-type': 'quorum' } : {}),
      // From version 4 on, RabbitMQ would drop a message after 20 deliveries.
      ...(major >= 4 ? { 'x-delivery-limit': -1 } : {}),
    },
  };
}

/** Adds a heartbeat unless the URL has one. Two missed heartbeats reveal a broker that hangs, as with NATS. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return parsed.href;
}

async function within<T>(limitMs: number, task: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BackupUnavailableError(`the backup queue did not answer within ${limitMs} ms`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([task, late]);
  } finally {
    clearTimeout(timer);
  }
}
