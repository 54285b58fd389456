import { randomUUID } from 'node:crypto';
import { BackupConnection, type ConfirmChannel, type ConsumeMessage } from '@tps/backup';
import { pauseMs, type RecordsClient } from '@tps/bus';
import { type BackupHoldings, type BackupDrainerVitals, retirementText, runKey } from '@tps/contracts';
import type { LineView, TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { type BackupMessage, tryParseBackupMessage, UnreadableMessageError } from './backup-message';
import type { KanbanConfig } from '../config';
import { registerBackupMetrics } from './metrics';
import { keepAsDeadLetter } from './unreadable-backup';
import type { QueueWriter } from '../queue/queue-writer';
import type { QueueStats } from '../queue/queue-stats';
import type { Revival } from '../retirement/revival';

/** Messages that RabbitMQ delivers ahead; the others wait there. */
const PREFETCH = 128;
const BACKOFF = { firstMs: 100, capMs: 2_000 };
/**
 * Stop draining a type above this many unfinished signals (or a quarter of a small buffer), so that the backlog does not
 * delay new signals.
 */
const TYPE_LIMIT = 128;
const TYPE_LIMIT_OF_BUFFER = 0.25;
/** A slow or overloaded type must not delay what waits behind it here for longer. */
const DEFER_LIMIT_MS = 1_000;
const MAX_SHARE_OF_BUFFER = 0.5;
const CHECK_AGAIN_MS = 50;

/** A delivered message that is not moved yet. */
interface Unmoved {
  /** Parsed once, because a message without an id gets a random one. */
  parsed: BackupMessage | UnreadableMessageError;
  sinceMs: number;
}

/** An unmoved message that is a signal. */
interface ValidMessage {
  message: ConsumeMessage;
  parsed: BackupMessage;
  type: string;
  sinceMs: number;
}

export interface BackupDrainerDeps {
  writer: QueueWriter;
  queue: QueueStats;
  lines: LineView;
  types: TypesView;
  revival: Revival;
  records: RecordsClient;
}

/**
 * Moves signals from the backup into the queue, at all times. Gateways put them there while NATS is down, and other
 * systems do so whenever they like. RabbitMQ delivers to one kanban process at a time.
 *
 * A message is acknowledged only when the queue has its signal, the records know its outcome, or a dead letter keeps it,
 * so a process that dies earlier leaves it to the next one. The same signal may have reached the queue another way.
 * Therefore it is appended under the same message id and as a suspect, which a worker looks up before it runs it.
 *
 * Thousands may wait after an outage, while clients wait for new signals. The drainer therefore moves only enough to keep
 * the workers busy.
 */
export class BackupDrainer {
  private reconciled = 0;
  private suppressed = 0;
  private readonly unmoved = new Map<ConsumeMessage, Unmoved>();
  private channel: ConfirmChannel | undefined;
  /** The consumer tag; set while RabbitMQ may deliver to this process. */
  private consumer: string | undefined;
  /** Messages at RabbitMQ that are not delivered, as of the last count. */
  private waiting = 0;
  private working: Promise<void> | undefined;
  private stopping = false;
  private readonly connection: BackupConnection;
  private readonly offReconnect: () => void;

  private constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly deps: BackupDrainerDeps,
  ) {
    const { bus, config, instance, log, registry } = context;
    this.connection = new BackupConnection({
      url: config.RABBITMQ_URL,
      caFile: config.RABBITMQ_CA_FILE,
      queue: bus.names.queues.backup,
      maxLength: config.TPS_KANBAN_BUFFER,
      name: `tps-kanban ${instance}`,
      log,
      onOpen: (channel) => this.consume(channel),
      onLost: () => this.forget(),
    });
    registerBackupMetrics(registry, () => this.vitals());
    this.offReconnect = bus.onReconnect(() => void this.resume());
  }

  /** Starts connecting to RabbitMQ. @throws ConfigError if the certificates cannot be read */
  static async open(context: ServiceContext<KanbanConfig>, deps: BackupDrainerDeps): Promise<BackupDrainer> {
    const drainer = new BackupDrainer(context, deps);
    await drainer.connection.connect();
    return drainer;
  }

  vitals(): BackupDrainerVitals {
    return {
      reachable: this.connection.connected,
      // Without a delivered message it has not tried: RabbitMQ delivers to another process, or has none.
      appends: this.context.bus.connected && (this.unmoved.size === 0 || this.deps.writer.accepts),
      on_backup: this.unmoved.size + this.waiting,
      reconciled: this.reconciled,
      duplicates_suppressed: this.suppressed,
    };
  }

  /** Counts the messages that are, or may be, signals of a type. */
  async holdings(type: string): Promise<BackupHoldings> {
    const isOfType = ({ parsed }: Unmoved): boolean =>
      'signal' in parsed && parsed.signal.signal_type === type;
    const of_type = [...this.unmoved.values()].filter(isOfType).length;
    return { of_type, waiting: await this.connection.queuedMessages().catch(() => null) };
  }

  /** Called every second: counts the waiting messages. Below the prefetch limit RabbitMQ has delivered all of them. */
  async tick(): Promise<void> {
    if (this.unmoved.size < PREFETCH && this.waiting === 0) return;
    this.waiting = await this.connection.queuedMessages().catch(() => this.waiting);
  }

  /** Stops draining. Unmoved messages stay at RabbitMQ. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.offReconnect();
    await this.working;
    await this.connection.close();
  }

  private async consume(channel: ConfirmChannel): Promise<void> {
    const queue = this.context.bus.names.queues.backup;
    const consumerTag = randomUUID();
    this.channel = channel;
    // Set before the first await, because NATS and RabbitMQ may come back together, and each of them calls this.
    this.consumer = consumerTag;
    this.waiting = (await channel.checkQueue(queue)).messageCount;
    await channel.prefetch(PREFETCH);
    await channel.consume(queue, (message) => this.receive(channel, message), { consumerTag });
    // NATS was lost in between, and `release` could not cancel a consumer that did not exist yet.
    if (this.consumer !== consumerTag && this.channel === channel) await channel.cancel(consumerTag);
  }

  /** Returns all messages to RabbitMQ while NATS is down, so that they are counted there and another process may get them. */
  private async release(channel: ConfirmChannel, consumer: string): Promise<void> {
    this.consumer = undefined;
    await channel.cancel(consumer);
    channel.nackAll(true);
    this.unmoved.clear();
  }

  private async resume(): Promise<void> {
    const { channel } = this;
    if (!channel || this.consumer || this.stopping) return;
    await this.consume(channel).catch((error: unknown) => {
      this.context.log.warn('the backup is not drained yet', { error });
      channel.close().catch(() => undefined);
    });
  }

  private receive(channel: ConfirmChannel, message: ConsumeMessage | null): void {
    // Null means that the queue was deleted. The next connection declares it again.
    if (!message) return void channel.close().catch(() => undefined);
    this.unmoved.set(message, { parsed: tryParseBackupMessage(message, Date.now()), sinceMs: Date.now() });
    this.working ??= this.work().finally(() => (this.working = undefined));
  }

  private forget(): void {
    this.channel = undefined;
    this.consumer = undefined;
    this.unmoved.clear();
    this.waiting = 0;
  }

  private async work(): Promise<void> {
    const { bus } = this.context;
    let failures = 0;
    while (this.unmoved.size > 0 && !this.stopping) {
      const before = this.unmoved.size;
      const { channel, consumer } = this;
      let isEnough = false;
      if (bus.connected) isEnough = await this.moveWanted();
      else if (channel && consumer) await this.release(channel, consumer).catch(() => undefined);
      if (this.unmoved.size < before) failures = 0;
      else if (isEnough) await bus.sleepUntilReconnect(CHECK_AGAIN_MS);
      else await bus.sleepUntilReconnect(pauseMs(BACKOFF, (failures += 1)));
    }
  }

  /** @returns whether nothing failed and the queue needs none of the messages yet */
  private async moveWanted(): Promise<boolean> {
    const valid: ValidMessage[] = [];
    for (const [message, { parsed, sinceMs }] of this.unmoved) {
      const fault = this.faultOf(parsed);
      if (parsed instanceof UnreadableMessageError) await this.deadLetter(message, fault);
      else if (await this.deps.revival.defers(parsed)) continue;
      else if (fault) await this.deadLetter(message, fault);
      else valid.push({ message, parsed, type: parsed.signal.signal_type, sinceMs });
    }
    const wanted = await this.wanted(valid);
    await this.moveAll(wanted);
    return wanted.length === 0 && valid.length > 0;
  }

  /** The messages that the queue should get now. */
  private async wanted(valid: readonly ValidMessage[]): Promise<ValidMessage[]> {
    const { queue, lines } = this.deps;
    const buffer = this.context.config.TPS_KANBAN_BUFFER;
    const enough = Math.min(TYPE_LIMIT, Math.ceil(buffer * TYPE_LIMIT_OF_BUFFER));
    // Between two readings of the stream, finished signals still count.
    if (valid.some(({ type }) => queue.depthOf(type) >= enough)) await queue.refresh();
    const now = Date.now();
    const depths = new Map<string, number>();
    let free = buffer * MAX_SHARE_OF_BUFFER - queue.depth;
    return valid.filter(({ type, sinceMs }) => {
      const depth = depths.get(type) ?? queue.depthOf(type);
      // Signals of a stopped line delay no others.
      const isDue = now - sinceMs > DEFER_LIMIT_MS || lines.state(type, now) !== 'Closed';
      if (depth >= enough && !(isDue && free > 0)) return false;
      depths.set(type, depth + 1);
      free -= 1;
      return true;
    });
  }

  private async moveAll(wanted: readonly ValidMessage[]): Promise<void> {
    const { writer } = this.deps;
    const signals = wanted.map(({ parsed }) => parsed.signal);
    // Without an answer they are queued as well, because a worker looks them up before it runs them.
    const lookup = this.deps.records.finishedRuns(signals).catch(() => null);
    await Promise.all(
      wanted.map(async ({ message, parsed }) => {
        const { signal } = parsed;
        const [finished, isQueued] = await Promise.all([lookup, writer.contains(signal)]);
        if (isQueued || finished?.has(runKey(signal))) return this.settle(message, 'suppressed');
        // It may have succeeded, and then must not be recorded as expired.
        if (!finished && Date.parse(signal.created_at) + signal.timeout_ms <= Date.now()) return;
        const verdict = await writer.enqueueFromBackup(parsed);
        if (verdict.ok) this.settle(message, verdict.duplicate ? 'suppressed' : 'reconciled');
      }),
    );
  }

  /** Why no worker could run it. In a fleet without types yet, any type may still be announced. */
  private faultOf(parsed: BackupMessage | UnreadableMessageError): string {
    if (parsed instanceof UnreadableMessageError) return parsed.message;
    const { types } = this.deps;
    const known = types.known();
    const { signal_type } = parsed.signal;
    const retirement = types.retirement(signal_type);
    if (retirement) return `/signal_type: ${retirementText(signal_type, retirement)}`;
    return known.length === 0 || known.includes(signal_type)
      ? ''
      : `/signal_type: there is no "${signal_type}"`;
  }

  private settle(message: ConsumeMessage, how: 'reconciled' | 'suppressed' | 'kept'): void {
    // Its connection is gone, and RabbitMQ delivers it again.
    if (!this.unmoved.delete(message)) return;
    this.channel?.ack(message);
    if (how !== 'kept') this[how] += 1;
  }

  /** A message that no worker can run would come back for ever, so it becomes a dead letter. */
  private async deadLetter(message: ConsumeMessage, reason: string): Promise<void> {
    const { bus, log } = this.context;
    const message_id = String(message.properties.messageId);
    log.error('unreadable message on the backup', { reason, message_id });
    try {
      await keepAsDeadLetter(bus, message, reason);
      this.settle(message, 'kept');
    } catch (error) {
      log.warn('not kept yet', { error });
    }
  }
}
