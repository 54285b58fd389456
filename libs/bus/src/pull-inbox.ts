import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Bus } from './connect';
import { type DeliveryInfo, parseDelivery } from './delivery';
import { isConsumerGone, type PullRequest, pullRequest } from './pull-request';

/** `lost`: the consumer is gone, or the broker fell silent about the pull. */
export type PullEnd = 'full' | 'empty' | 'lost';

/** `stale`: sent by an earlier consumer. `gap`: messages before this one are missing. */
export type Receipt = 'taken' | 'stale' | 'gap';

interface Pull {
  stream: string;
  consumer: string;
  request: PullRequest;
  /** A broker that sends nothing for this long has lost the consumer. */
  silenceMs: number;
}

const HEARTBEAT = 100;

/** Sends the pulls of a consumer, one at a time, and receives their messages. */
export class PullInbox {
  private readonly inbox: string;
  private readonly subscription: Subscription;
  private open: { left: number; end: (how: PullEnd) => void; limit: NodeJS.Timeout } | null = null;
  private number = 0;

  constructor(
    private readonly bus: Bus,
    private readonly onDelivery: (delivery: DeliveryInfo, msg: Msg) => Receipt,
  ) {
    this.inbox = bus.createInbox();
    this.subscription = bus.nc.subscribe(`${this.inbox}.*`, { callback: (_, msg) => this.receive(msg) });
  }

  /** Sends a pull. Resolves when its last message came, or when it ended without. */
  async pull({ stream, consumer, request, silenceMs }: Pull): Promise<PullEnd> {
    const reply = `${this.inbox}.${(this.number += 1)}`;
    const how = await new Promise<PullEnd>((end) => {
      const limit = setTimeout(end, silenceMs, 'lost').unref();
      this.open = { left: request.batch, end, limit };
      pullRequest(this.bus, { stream, consumer, reply }, request);
    });
    clearTimeout(this.open?.limit);
    this.open = null;
    return how;
  }

  /** Ends the open pull, if there is one. */
  end(how: PullEnd): void {
    this.open?.end(how);
  }

  /** Ends the open pull and unsubscribes. */
  close(): void {
    this.subscription.unsubscribe();
    this.end('empty');
  }

  private receive(msg: Msg): void {
    const delivery = parseDelivery(msg.reply ?? '');
    if (!delivery) return this.receiveStatus(msg);
    const receipt = this.onDelivery(delivery, msg);
    if (receipt === 'gap') return this.end('lost');
    if (receipt === 'taken' && this.open && (this.open.left -= 1) === 0) this.open.end('full');
  }

  /** Ignores the status of an earlier pull. */
  private receiveStatus(msg: Msg): void {
    if (msg.subject !== `${this.inbox}.${this.number}`) return;
    if (msg.headers?.code === HEARTBEAT) return void this.open?.limit.refresh();
    this.end(isConsumerGone(msg) ? 'lost' : 'empty');
  }
}
