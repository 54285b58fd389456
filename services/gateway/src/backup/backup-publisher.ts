import type { BackupConnection, ConfirmChannel } from '@tps/backup';
import { BACKUP_APP_ID } from '@tps/contracts';
import type { Logger, TraceHeaders } from '@tps/telemetry';
import CircuitBreaker from 'opossum';
import { BREAKER_OPTIONS } from '../breaker-options';

/** A signal for the backup, with the same JSON that kanban would get. */
export interface BackupSignal {
  id: string;
  json: string;
  trace: TraceHeaders;
}

/** RabbitMQ did not confirm a signal. `arrived` is `false` when RabbitMQ certainly does not have it. */
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

/** RabbitMQ usually confirms within milliseconds. Without a confirmation, the caller is told so within a second. */
const CONFIRM_LIMIT_MS = 600;
/** Bounds what waits for confirmation, so that a broker that hangs does not fill this process. */
const MAX_UNCONFIRMED_BYTES = 32 * 1024 * 1024;

/** Publishes signals to RabbitMQ, behind a circuit breaker, and waits until RabbitMQ confirms that they are on disk. */
export class BackupPublisher {
  private readonly breaker: CircuitBreaker<[BackupSignal], void>;
  /** Signals that no queue took: RabbitMQ returns them, and confirms them all the same right after that. */
  private readonly returned = new Set<string>();
  private unconfirmedBytes = 0;

  constructor(
    private readonly connection: BackupConnection,
    private readonly queue: string,
    log: Logger,
  ) {
    this.breaker = new CircuitBreaker((signal: BackupSignal) => this.send(signal), {
      name: 'RabbitMQ',
      timeout: CONFIRM_LIMIT_MS,
      ...BREAKER_OPTIONS,
      errorFilter: (error: unknown) => error instanceof BackupPublishError && error.full,
    });
    this.breaker.on('open', () => log.warn('RabbitMQ does not confirm: trying it once a second'));
    this.breaker.on('close', () => log.info('RabbitMQ confirms again'));
  }

  get reachable(): boolean {
    return this.connection.connected && this.connection.blocked === undefined;
  }

  /** Goes into `BackupConnectionOptions.onOpen`. */
  listen(channel: ConfirmChannel): void {
    this.returned.clear();
    channel.on('return', ({ properties }) => this.returned.add(String(properties.messageId)));
  }

  /**
   * Resolves when the signal is on disk at RabbitMQ.
   * @throws BackupPublishError
   */
  async publish(signal: BackupSignal): Promise<void> {
    // The breaker does not count these: it would stay open for a while after the connection is back.
    if (!this.connection.connected) throw new BackupPublishError('RabbitMQ is not connected', false);
    if (this.connection.blocked)
      throw new BackupPublishError(`RabbitMQ blocks publishers (${this.connection.blocked})`, false);
    if (this.unconfirmedBytes > MAX_UNCONFIRMED_BYTES)
      throw new BackupPublishError('RabbitMQ is too slow', false);
    try {
      await this.breaker.fire(signal);
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
      const { channel } = this.connection;
      // The connection may be lost between the check and this call.
      if (!channel) return reject(new BackupPublishError('RabbitMQ is not connected', false));
      const body = Buffer.from(json);
      let isOpen = true;
      const close = (): boolean => {
        if (!isOpen) return false;
        isOpen = false;
        this.unconfirmedBytes -= body.length;
        return true;
      };
      const settle = (error: Error | null): void => {
        if (!close()) return;
        const lost = this.returned.delete(id);
        if (lost) reject(new BackupPublishError('RabbitMQ has no backup queue', false));
        else if (!error) resolve();
        else if (error.message === NACKED) reject(new BackupPublishError('the backup is full', false, true));
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
      try {
        channel.publish('', this.queue, body, options, settle);
      } catch (error) {
        // The channel is closing. It may or may not call `settle` later.
        close();
        reject(new BackupPublishError(`not sent to RabbitMQ: ${String(error)}`, false));
      }
    });
  }
}

/** How amqplib words the refusal by a queue at its limit (`x-overflow: reject-publish`). */
const NACKED = 'message nacked';
