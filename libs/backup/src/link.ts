import { type Logger, readConfigFile } from '@tps/service';
import {
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type Options,
  type RecoveringChannelModel,
} from 'amqplib';

export interface BackupLinkOptions {
  url: string;
  /** Certificates (PEM) that the broker of an `amqps://` URL is verified with; by default those of the system. */
  caFile?: string;
  queue: string;
  /** Most messages that may wait in the queue: applies to whoever creates it. */
  maxLength: number;
  /** Shown in the broker's list of connections. */
  name: string;
  log: Logger;
  /** With every new channel, before it counts as open. */
  onOpen?: (channel: ConfirmChannel) => Promise<void>;
  /** The channel is gone, and all that was unconfirmed or unacknowledged on it. */
  onLost?: () => void;
}

/** RabbitMQ is not there, or does not answer. */
class BackupAwayError extends Error {
  override readonly name = 'BackupAwayError';
}

const CONNECT_LIMIT_MS = 3_000;
/** A queue without a leader answers nothing at all. */
const SETUP_LIMIT_MS = 5_000;
const COUNT_LIMIT_MS = 1_000;
const HEARTBEAT_S = 5;
const NOT_FOUND = 404;

/**
 * One connection to RabbitMQ with one confirming channel and the backup queue declared. It dials for ever; whatever
 * ends the channel ends the connection, and the next one begins afresh.
 */
export class BackupLink {
  /** Absent while there is no connection. */
  channel: ConfirmChannel | undefined;
  /** The broker has run into a limit of its own (disk, memory) and takes nothing: why. */
  blocked: string | undefined;
  private model: RecoveringChannelModel | undefined;
  private closed = false;
  private failing = false;

  private constructor(private readonly options: BackupLinkOptions) {}

  /**
   * Does not wait for the broker: it may be away when the service starts.
   * @throws ConfigError when the certificates cannot be read
   */
  static async open(options: BackupLinkOptions): Promise<BackupLink> {
    const link = new BackupLink(options);
    await link.dial();
    return link;
  }

  get connected(): boolean {
    return this.channel !== undefined;
  }

  /**
   * Messages that wait in the queue, without those that somebody was given and has not acknowledged.
   * @throws BackupAwayError when RabbitMQ does not say so within a second
   */
  async waiting(): Promise<number> {
    if (!this.channel) throw new BackupAwayError('not connected to RabbitMQ');
    return (await within(COUNT_LIMIT_MS, this.channel.checkQueue(this.options.queue))).messageCount;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.model?.close();
    this.lose();
  }

  private async dial(): Promise<void> {
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
        setup: (opened: ChannelModel) => within(SETUP_LIMIT_MS, this.begin(opened)),
      },
    });
    this.model = model;
    model.on('connect', () => {
      this.failing = false;
      log.info('connected to RabbitMQ');
    });
    model.on('connect-failed', (error: Error) => this.say('no connection to RabbitMQ', error));
    model.on('disconnect', (error: Error) => {
      this.lose();
      if (!this.closed) this.say('connection to RabbitMQ lost', error);
    });
    model.on('blocked', (reason: string) => {
      this.blocked = reason;
      log.warn('RabbitMQ takes nothing now', { reason });
    });
    model.on('unblocked', () => (this.blocked = undefined));
    model.on('error', (error: Error) => this.say('RabbitMQ', error));
  }

  private async begin(model: ChannelModel): Promise<void> {
    // The recovering connection listens only when this is done.
    model.on('error', (error: Error) => this.say('RabbitMQ', error));
    await this.declare(model);
    const channel = await this.openChannel(model);
    await this.options.onOpen?.(channel);
    channel.on('close', () => {
      this.lose();
      void model.close().catch(() => undefined);
    });
    this.channel = channel;
  }

  /** A queue that exists is used as it is: its limits cannot be changed by declaring it again. */
  private async declare(model: ChannelModel): Promise<void> {
    const { queue, maxLength } = this.options;
    const asking = await this.openChannel(model);
    try {
      await asking.checkQueue(queue);
      return await asking.close();
    } catch (error) {
      if ((error as { code?: number }).code !== NOT_FOUND) throw error;
    }
    const declaring = await this.openChannel(model);
    await declaring.assertQueue(queue, queueOptions(model.connection.serverProperties.version, maxLength));
    await declaring.close();
  }

  private async openChannel(model: ChannelModel): Promise<ConfirmChannel> {
    const channel = await model.createConfirmChannel();
    channel.on('error', (error: Error) => this.say('RabbitMQ channel', error));
    return channel;
  }

  private lose(): void {
    if (!this.channel) return;
    this.channel = undefined;
    this.blocked = undefined;
    this.options.onLost?.();
  }

  /** Once per outage: it dials every two seconds. */
  private say(message: string, error: Error): void {
    if ((error as { code?: number }).code === NOT_FOUND) return;
    if (!this.failing) this.options.log.warn(message, { error });
    this.failing = true;
  }
}

/**
 * Durable, and refusing new messages at its limit instead of dropping old ones. One consumer at a time is active, the
 * next takes over when it goes: that is the one drainer.
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
      // From version 4 on a message that was delivered 20 times would be dropped.
      ...(major >= 4 ? { 'x-delivery-limit': -1 } : {}),
    },
  };
}

/** A broker that hangs is noticed after two of these, as with NATS. What the user wrote stands. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return parsed.href;
}

async function within<T>(limitMs: number, task: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BackupAwayError(`the backup queue did not answer within ${limitMs} ms`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([task, late]);
  } finally {
    clearTimeout(timer);
  }
}
