import type { BackupConnection, ConfirmChannel } from '@tps/backup';
import { BACKUP_APP_ID } from '@tps/contracts';
import type { Logger, TraceHeaders } from '@tps/service';
import CircuitBreaker from 'opossum';
import { BREAKER_OPTIONS } from '../breaker-options';

/** A signal on its way to the backup, as the JSON that kanban would have got. */
export interface BackupSignal {
  id: string;
  json: string;
  trace: TraceHeaders;
}

/** RabbitMQ did not confirm that it has the signal. `arrived` is `false` when it surely has not. */
export class BackupPublishError extends Error {
  override readonly name = 'BackupPublishError';
  constructor(
    message: string,
    readonly arrived: false | 'unknown',
    /** The queue is at its limit. */
    readonly full = false,
  ) {
    super(message);
  }
}

/** A confirm usually takes milliseconds. With none, the caller is to have an honest answer within a second. */
const CONFIRM_LIMIT_MS = 600;
/** Of messages not confirmed yet: a broker that hangs must not fill this process. */
const MAX_UNCONFIRMED_BYTES = 32 * 1024 * 1024;

/** Puts signals into RabbitMQ and waits for its confirmation that they are on disk, behind a circuit breaker. */
export class BackupPublisher {
  private readonly breaker: CircuitBreaker<[BackupSignal], void>;
  /** Confirmed, but in no queue: RabbitMQ returns those first. */
  private readonly returned = new Set<string>();
  private unconfirmedBytes = 0;

  constructor(
    private readonly link: BackupConnection,
    private readonly queue: string,
    log: Logger,
  ) {
    this.breaker = new CircuitBreaker((backupSignal: BackupSignal) => this.send(backupSignal), {
      name: 'RabbitMQ',
      timeout: CONFIRM_LIMIT_MS,
      ...BREAKER_OPTIONS,
      errorFilter: (error: unknown) => error instanceof BackupPublishError && error.full,
    });
    this.breaker.on('open', () => log.warn('RabbitMQ does not confirm: asking it only now and then'));
    this.breaker.on('close', () => log.info('RabbitMQ confirms again'));
  }

  get reachable(): boolean {
    return this.link.connected && this.link.blocked === undefined;
  }

  /** For `BackupConnectionOptions.onOpen`. */
  listen(channel: ConfirmChannel): void {
    this.returned.clear();
    channel.on('return', ({ properties }) => this.returned.add(String(properties.messageId)));
  }

  /**
   * Resolves when the signal is on disk at RabbitMQ.
   * @throws BackupPublishError
   */
  async put(backupSignal: BackupSignal): Promise<void> {
    // Not for the breaker to count: it would stay open for a while after the connection is back.
    if (!this.link.connected) throw new BackupPublishError('RabbitMQ is away', false);
    if (this.link.blocked)
      throw new BackupPublishError(`RabbitMQ takes nothing (${this.link.blocked})`, false);
    if (this.unconfirmedBytes > MAX_UNCONFIRMED_BYTES)
      throw new BackupPublishError('RabbitMQ is too slow', false);
    try {
      await this.breaker.fire(backupSignal);
    } catch (error) {
      if (error instanceof BackupPublishError) throw error;
      const open = (error as { code?: string }).code === 'EOPENBREAKER';
      throw open
        ? new BackupPublishError('RabbitMQ does not confirm', false)
        : new BackupPublishError('RabbitMQ did not confirm in time', 'unknown');
    }
  }

  close(): void {
    this.breaker.shutdown();
  }

  private send({ id, json, trace }: BackupSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const body = Buffer.from(json);
      const settle = (error: Error | null): void => {
        this.unconfirmedBytes -= body.length;
        const lost = this.returned.delete(id);
        if (lost) reject(new BackupPublishError('RabbitMQ has no backup queue', false));
        else if (!error) resolve();
        else if (error.message === NACKED)
          reject(new BackupPublishError('the backup is at its limit', false, true));
        else reject(new BackupPublishError(`RabbitMQ did not confirm: ${error.message}`, 'unknown'));
      };
      const options = {
        persistent: true,
        mandatory: true,
        appId: BACKUP_APP_ID,
        messageId: id,
        contentType: 'application/json',
        timestamp: Math.floor(Date.now() / 1000),
        headers: { ...trace },
      };
      this.unconfirmedBytes += body.length;
      this.link.channel?.publish('', this.queue, body, options, settle);
    });
  }
}

/** amqplib says it so; the queue refuses at its limit (`x-overflow: reject-publish`). */
const NACKED = 'message nacked';
