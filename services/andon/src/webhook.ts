import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  jetstream,
  type JsMsg,
  type StreamInfo,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { isApiError, managerOf, pauseMs } from '@tps/bus';
import { type AndonEvent, METRICS, parseAndonEvent } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { Counter } from 'prom-client';

const DURABLE = 'andon_webhook';
const CONSUMER_EXISTS = 10148;
const CONSUMER_NOT_FOUND = 10014;
/** Check after each poll that the consumer exists: nobody answers a poll of a lost consumer. */
const POLL_MS = 5_000;
const POST_LIMIT_MS = 10_000;
/** Longer than one delivery can take, so that no other replica sends the same event meanwhile. */
const ACK_WAIT_MS = 30_000;
const BACKOFF = { firstMs: 1_000, capMs: 60_000 };
/** An older event helps nobody. */
const MAX_AGE_MS = 3_600_000;
const RESTART_MS = 1_000;

/** The receiver did not take the event. */
class WebhookError extends Error {
  override readonly name = 'WebhookError';
}

/**
 * Posts every event of the stream ANDON to one URL, in their order. All replicas share one durable consumer that has
 * one event out at a time: each is sent by one of them, and sent again with backoff until the receiver takes it. If a
 * replica dies between the receiver's answer and the acknowledgement, it arrives twice, with the same key.
 */
export class Webhook {
  private stopped = false;
  /** How far this process saw the events delivered, and in which stream. */
  private seen: { created: string; seq: number } | undefined;
  /** The delivery under way. */
  private delivery: Promise<void> = Promise.resolve();
  private readonly sent: Counter<'result'>;

  private constructor(
    private readonly context: ServiceContext,
    private readonly url: string,
  ) {
    this.sent = new Counter({
      ...METRICS.andonWebhookPosts,
      registers: [context.registry],
    });
  }

  static start(context: ServiceContext, url: string): Webhook {
    const webhook = new Webhook(context, url);
    void webhook.run();
    return webhook;
  }

  /** Resolves when the event under way is posted or released to another replica. */
  stop(): Promise<void> {
    this.stopped = true;
    return this.delivery;
  }

  private async run(): Promise<void> {
    const { bus, log } = this.context;
    while (!this.stopped && !bus.nc.isClosed()) {
      try {
        await this.ensureConsumer();
        const consumer = await jetstream(bus.nc).consumers.get(bus.names.streams.andon, DURABLE);
        for (let msg = await consumer.next({ expires: POLL_MS }); msg;) {
          // Release it: until its lease ends, the other replicas would wait.
          if (this.stopped) return msg.nak();
          await (this.delivery = this.deliver(msg));
          msg = await consumer.next({ expires: POLL_MS });
        }
      } catch (error) {
        if (!this.stopped) log.warn('webhook', { error });
        await sleep(RESTART_MS + Math.random() * RESTART_MS, undefined, { ref: false });
      }
    }
  }

  private async ensureConsumer(): Promise<void> {
    const { bus } = this.context;
    const stream = bus.names.streams.andon;
    const jsm = await managerOf(bus);
    const start = this.startIn(await jsm.streams.info(stream));
    const isThere = await jsm.consumers.info(stream, DURABLE).then(
      () => true,
      (error: unknown) => {
        if (isApiError(error, CONSUMER_NOT_FOUND)) return false;
        throw error;
      },
    );
    if (isThere) return;
    const config = {
      durable_name: DURABLE,
      ack_policy: AckPolicy.Explicit,
      ...start,
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: 1,
      max_deliver: -1,
    };
    await jsm.consumers.add(stream, config).catch((error: unknown) => {
      if (!isApiError(error, CONSUMER_EXISTS)) throw error;
    });
  }

  /** The start of a new consumer. In a stream that replaced another one, nothing was delivered yet. */
  private startIn({ created, state }: StreamInfo): Partial<ConsumerConfig> {
    const { seen } = this;
    if (seen?.created === created) {
      return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: seen.seq + 1 };
    }
    // Events from before the webhook existed call nobody.
    this.seen = { created, seq: seen ? 0 : state.last_seq };
    return { deliver_policy: seen ? DeliverPolicy.All : DeliverPolicy.New };
  }

  private async deliver(msg: JsMsg): Promise<void> {
    const { log } = this.context;
    const { seq } = msg;
    // The event is from a time without a webhook, or without andon.
    if (Date.now() - msg.time.getTime() > MAX_AGE_MS) {
      msg.term();
      this.see(seq);
      this.sent.inc({ result: 'given_up' });
      return void log.warn('webhook given up: the event is too old', { seq });
    }
    const event = this.read(msg);
    if (!event) return msg.term();
    try {
      await this.post(event, seq);
      msg.ack();
      this.see(seq);
      this.sent.inc({ result: 'taken' });
    } catch (error) {
      msg.nak(pauseMs(BACKOFF, msg.info.deliveryCount));
      this.sent.inc({ result: 'failed' });
      log.warn('webhook failed', { seq, error: reasonOf(error) });
    }
  }

  /** Null for a message that is no event: sending it again would not help. */
  private read(msg: JsMsg): AndonEvent | null {
    try {
      return parseAndonEvent(msg, `event ${msg.seq}`);
    } catch (error) {
      this.sent.inc({ result: 'given_up' });
      this.context.log.error('webhook given up: the event cannot be read', { error });
      return null;
    }
  }

  private get streamId(): string {
    return Date.parse(this.seen?.created ?? '').toString(36);
  }

  private see(seq: number): void {
    if (this.seen) this.seen.seq = Math.max(this.seen.seq, seq);
  }

  private async post({ v: _v, ...event }: AndonEvent, seq: number): Promise<void> {
    const { colour, line, reason, by, level } = event;
    const what = level ? `${event.event} (level ${level})` : event.event;
    const text = `${colour} ${line}: ${what} by ${by}: ${reason}`;
    const isUnanswered = event.event === 'resumed' && event.acknowledge_ms === undefined;
    const response = await fetch(this.url, {
      method: 'POST',
      // The same event has the same key, however often it is sent. Another stream counts from 1 again.
      headers: { 'content-type': 'application/json', 'idempotency-key': `andon-${this.streamId}-${seq}` },
      body: JSON.stringify({ text, ...event, ...(isUnanswered ? { acknowledge_ms: null } : {}) }),
      redirect: 'error',
      signal: AbortSignal.timeout(POST_LIMIT_MS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new WebhookError(`answered ${response.status}`);
  }
}

/** The reason for the log. An error of `fetch` quotes the URL, which may hold a secret. */
function reasonOf(error: unknown): string {
  if (error instanceof WebhookError) return error.message;
  return error instanceof Error && error.name === 'TimeoutError' ? 'no answer in time' : 'not reachable';
}
