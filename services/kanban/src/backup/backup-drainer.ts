import { randomInt, randomUUID } from 'node:crypto';
import { BackupConnection, type ConfirmChannel, type ConsumeMessage } from '@tps/backup';
import { encodeHeaders } from '@tps/bus';
import {
  type BackupHoldings,
  type BackupDrainerVitals,
  type UnreadableDeadLetter,
  DEAD_LETTER_HEADERS,
  retirementText,
  WIRE_VERSION,
} from '@tps/contracts';
import type { LineView, TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { type BackupMessage, idOf, tryParseBackupMessage, UnreadableMessageError } from './backup-message';
import type { KanbanConfig } from '../config';
import { registerBackupMetrics } from './metrics';
import type { QueueWriter } from '../queue/queue-writer';
import type { QueueStats } from '../queue/queue-stats';
import { finishedRuns, runKey } from '../records';
import type { Revival } from '../retirement/revival';

/** In hand at once; the rest waits at RabbitMQ. */
const PREFETCH = 128;
const RETRY_FIRST_MS = 100;
const RETRY_CAP_MS = 2_000;
/** Of a type: with so many unfinished, more would only stand before those that come new; of a small buffer a quarter. */
const TYPE_LIMIT = 128;
const TYPE_LIMIT_OF_BUFFER = 0.25;
/** A slow or overloaded type must not delay what waits behind it here for longer. */
const DEFER_LIMIT_MS = 1_000;
const MAX_SHARE_OF_BUFFER = 0.5;
const LOOK_AGAIN_MS = 50;
const MAX_KEPT_BYTES = 128 * 1024;
/** The subject token under which unreadable messages are kept. */
const UNREADABLE_TYPE = 'backup';

interface Unmoved {
  /** Read once: one without an id gets one. */
  backedUp: BackupMessage | UnreadableMessageError;
  sinceMs: number;
}

/** A message in hand that is a signal. */
interface ValidMessage {
  message: ConsumeMessage;
  backedUp: BackupMessage;
  type: string;
  sinceMs: number;
}

export interface BackupDrainerDeps {
  writer: QueueWriter;
  queue: QueueStats;
  lines: LineView;
  types: TypesView;
  revival: Revival;
}

/**
 * Moves what waits on the backup into the queue, all the time: what gateways put there while NATS was away, and work
 * that others put there. RabbitMQ gives it to one kanban process at a time.
 *
 * A message is acknowledged only when the queue has its signal, the records know its outcome, or a dead letter keeps
 * it; a process that dies before that leaves it to the next. Since the same signal may have reached the queue another
 * way, each goes in under the same message id and as a suspect: looked up before it runs.
 *
 * After an outage thousands wait here, and callers again wait for what they send: only as much is moved as keeps the
 * workers busy, so that a new signal does not queue behind all of it.
 */
export class BackupDrainer {
  private reconciled = 0;
  private suppressed = 0;
  private readonly unmoved = new Map<ConsumeMessage, Unmoved>();
  private channel: ConfirmChannel | undefined;
  /** Set while RabbitMQ may give messages to this process. */
  private consumer: string | undefined;
  /** At RabbitMQ, beyond what is in hand; as of the last look. */
  private waiting = 0;
  private working: Promise<void> | undefined;
  private stopping = false;
  private connection!: BackupConnection;
  private offReconnect: () => void = () => undefined;

  private constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly deps: BackupDrainerDeps,
  ) {}

  static async open(context: ServiceContext<KanbanConfig>, deps: BackupDrainerDeps): Promise<BackupDrainer> {
    const { bus, config, instance, log } = context;
    const drainer = new BackupDrainer(context, deps);
    drainer.connection = await BackupConnection.open({
      url: config.RABBITMQ_URL,
      caFile: config.RABBITMQ_CA_FILE,
      queue: bus.names.queues.backup,
      maxLength: config.TPS_KANBAN_BUFFER,
      name: `tps-kanban ${instance}`,
      log,
      onOpen: (channel) => drainer.consume(channel),
      onLost: () => drainer.forget(),
    });
    registerBackupMetrics(context.registry, () => drainer.vitals());
    drainer.offReconnect = bus.onReconnect(() => void drainer.resume());
    return drainer;
  }

  vitals(): BackupDrainerVitals {
    return {
      reachable: this.connection.connected,
      // One that has nothing in hand has not tried: RabbitMQ gives all to another, or there is nothing.
      appends: this.context.bus.connected && (this.unmoved.size === 0 || this.deps.writer.accepts),
      on_backup: this.unmoved.size + this.waiting,
      reconciled: this.reconciled,
      duplicates_suppressed: this.suppressed,
    };
  }

  /** What may be of this type. */
  async holdings(type: string): Promise<BackupHoldings> {
    const isOfType = ({ backedUp }: Unmoved): boolean =>
      'signal' in backedUp && backedUp.signal.signal_type === type;
    const of_type = [...this.unmoved.values()].filter(isOfType).length;
    return { of_type, waiting: await this.connection.queuedMessages().catch(() => null) };
  }

  /** Called every second: with room in hand there is nothing that RabbitMQ would not have given. */
  async refreshWaiting(): Promise<void> {
    if (this.unmoved.size < PREFETCH && this.waiting === 0) return;
    this.waiting = await this.connection.queuedMessages().catch(() => this.waiting);
  }

  /** What is in hand and not moved yet stays at RabbitMQ. */
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
    // Named before the first await: NATS and RabbitMQ may come back together, and each of them calls this.
    this.consumer = consumerTag;
    this.waiting = (await channel.checkQueue(queue)).messageCount;
    await channel.prefetch(PREFETCH);
    await channel.consume(queue, (message) => this.take(channel, message), { consumerTag });
    // NATS went away meanwhile, and `release` could not end what had not begun.
    if (this.consumer !== consumerTag && this.channel === channel) await channel.cancel(consumerTag);
  }

  /** Without NATS nothing can be moved: all goes back, where it is counted, and where another process may take it. */
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

  private take(channel: ConfirmChannel, message: ConsumeMessage | null): void {
    // Null: the queue was deleted. The next connection declares it again.
    if (!message) return void channel.close().catch(() => undefined);
    this.unmoved.set(message, { backedUp: tryParseBackupMessage(message, Date.now()), sinceMs: Date.now() });
    this.working ??= this.work().finally(() => (this.working = undefined));
  }

  private forget(): void {
    this.channel = undefined;
    this.consumer = undefined;
    this.unmoved.clear();
    this.waiting = 0;
  }

  private async work(): Promise<void> {
    let wait = RETRY_FIRST_MS;
    while (this.unmoved.size > 0 && !this.stopping) {
      const before = this.unmoved.size;
      const { channel, consumer } = this;
      let enough = false;
      if (this.context.bus.connected) enough = await this.moveWanted();
      else if (channel && consumer) await this.release(channel, consumer).catch(() => undefined);
      if (this.unmoved.size < before) wait = RETRY_FIRST_MS;
      else if (enough) await this.context.bus.sleepUntilReconnect(LOOK_AGAIN_MS);
      else {
        await this.context.bus.sleepUntilReconnect(wait / 2 + randomInt(wait / 2));
        wait = Math.min(wait * 2, RETRY_CAP_MS);
      }
    }
  }

  /** @returns whether there are only such as the queue need not have yet: nothing failed */
  private async moveWanted(): Promise<boolean> {
    const sound: ValidMessage[] = [];
    for (const [message, { backedUp, sinceMs }] of this.unmoved) {
      const fault = this.faultOf(backedUp);
      if (backedUp instanceof UnreadableMessageError) await this.deadLetter(message, fault);
      else if (await this.deps.revival.holds(backedUp)) continue;
      else if (fault) await this.deadLetter(message, fault);
      else sound.push({ message, backedUp, type: backedUp.signal.signal_type, sinceMs });
    }
    const wanted = await this.wanted(sound);
    await this.moveAll(wanted);
    return wanted.length === 0 && sound.length > 0;
  }

  /** What of it the queue should have now. */
  private async wanted(sound: readonly ValidMessage[]): Promise<ValidMessage[]> {
    const { queue, lines } = this.deps;
    const buffer = this.context.config.TPS_KANBAN_BUFFER;
    const enough = Math.min(TYPE_LIMIT, Math.ceil(buffer * TYPE_LIMIT_OF_BUFFER));
    // Between two looks at the stream what has left it is not seen.
    if (sound.some(({ type }) => queue.depthOf(type) >= enough)) await queue.refresh();
    const now = Date.now();
    const depths = new Map<string, number>();
    let free = buffer * MAX_SHARE_OF_BUFFER - queue.depth;
    return sound.filter(({ type, sinceMs }) => {
      const depth = depths.get(type) ?? queue.depthOf(type);
      // Signals of a stopped line are in nobody's way.
      const beyond = now - sinceMs > DEFER_LIMIT_MS || lines.state(type, now) !== 'Closed';
      if (depth >= enough && !(beyond && free > 0)) return false;
      depths.set(type, depth + 1);
      free -= 1;
      return true;
    });
  }

  private async moveAll(wanted: readonly ValidMessage[]): Promise<void> {
    const { writer } = this.deps;
    const signals = wanted.map(({ backedUp }) => backedUp.signal);
    // Without an answer they go into the queue all the same: no worker runs them before it has asked.
    const asked = finishedRuns(this.context.bus, signals).catch(() => null);
    await Promise.all(
      wanted.map(async ({ message, backedUp }) => {
        const { signal } = backedUp;
        const [finished, held] = await Promise.all([asked, writer.contains(signal)]);
        if (held || finished?.has(runKey(signal))) return this.settle(message, 'suppressed');
        // Should it have succeeded, it must not be recorded as expired.
        if (!finished && Date.parse(signal.created_at) + signal.timeout_ms <= Date.now()) return;
        const verdict = await writer.enqueueFromBackup(backedUp);
        if (verdict.ok) this.settle(message, verdict.duplicate ? 'suppressed' : 'reconciled');
      }),
    );
  }

  /** Why no worker could take it. In a fleet that has just been set up any type may still come. */
  private faultOf(read: BackupMessage | UnreadableMessageError): string {
    if (read instanceof UnreadableMessageError) return read.message;
    const { types } = this.deps;
    const known = types.known();
    const { signal_type } = read.signal;
    const retirement = types.retirement(signal_type);
    if (retirement) return `/signal_type: ${retirementText(signal_type, retirement)}`;
    return known.length === 0 || known.includes(signal_type)
      ? ''
      : `/signal_type: there is no "${signal_type}"`;
  }

  private settle(message: ConsumeMessage, how: 'reconciled' | 'suppressed' | 'kept'): void {
    // Not in hand any more: the connection it came by is gone, and RabbitMQ gives it out again.
    if (!this.unmoved.delete(message)) return;
    this.channel?.ack(message);
    if (how !== 'kept') this[how] += 1;
  }

  /** What is no signal would come back for ever: it is kept as a dead letter and taken out. */
  private async deadLetter(message: ConsumeMessage, reason: string): Promise<void> {
    const { bus, log } = this.context;
    const { content, properties, fields } = message;
    const body: UnreadableDeadLetter = {
      v: WIRE_VERSION,
      invalid: true,
      subject: `amqp:${bus.names.queues.backup}`,
      reason,
      data: content.subarray(0, MAX_KEPT_BYTES).toString('base64'),
    };
    log.error('unreadable message on the backup', { reason, message_id: String(properties.messageId) });
    const headers = encodeHeaders([
      ['Nats-Msg-Id', `dead:${fields.consumerTag}:${fields.deliveryTag}`],
      [DEAD_LETTER_HEADERS.id, idOf(properties.messageId)],
      [DEAD_LETTER_HEADERS.status, 'invalid'],
    ]);
    const kept = bus.publisher.publish(bus.names.subjects.dead(UNREADABLE_TYPE), JSON.stringify(body), {
      headers,
    });
    await kept.then(
      () => this.settle(message, 'kept'),
      (error: unknown) => log.warn('not kept yet', { error }),
    );
  }
}
