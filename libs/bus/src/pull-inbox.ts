import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Bus } from './connect';
import { type DeliveryInfo, parseDelivery } from './delivery';

/** `lost`: the consumer is gone, or the broker fell silent about the pull. */
export type PullEnd = 'full' | 'empty' | 'lost';

/** `stale`: sent by an earlier consumer. `gap`: messages before this one are missing. */
export type Receipt = 'taken' | 'stale' | 'gap';

export interface Pull {
  stream: string;
  consumer: string;
  batch: number;
  /** Further fields of the request. */
  request: object;
  /** A broker that says nothing for so long has lost the consumer. */
  silenceMs: number;
}

const HEARTBEAT = 100;
const CONSUMER_GONE = 409;
const NO_RESPONDERS = 503;

/** Sends the pulls of a consumer, one at a time, and receives what comes for them. */
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

  async pull({ stream, consumer, batch, request, silenceMs }: Pull): Promise<PullEnd> {
    const reply = `${this.inbox}.${(this.number += 1)}`;
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    const how = await new Promise<PullEnd>((end) => {
      const limit = setTimeout(end, silenceMs, 'lost').unref();
      this.open = { left: batch, end, limit };
      this.bus.nc.publish(subject, JSON.stringify({ batch, ...request }), { reply });
    });
    clearTimeout(this.open?.limit);
    this.open = null;
    return how;
  }

  /** Ends the pull under way, if there is one. */
  end(how: PullEnd): void {
    this.open?.end(how);
  }

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

  /** Only the status of the pull under way counts; one of an older consumer is stale. */
  private receiveStatus(msg: Msg): void {
    if (msg.subject !== `${this.inbox}.${this.number}`) return;
    const code = msg.headers?.code;
    if (code === HEARTBEAT) return void this.open?.limit.refresh();
    this.end(code === NO_RESPONDERS || code === CONSUMER_GONE ? 'lost' : 'empty');
  }
}
