import { setTimeout as sleep } from 'node:timers/promises';
import { type Msg, nanos, type Subscription } from '@nats-io/transport-node';
import { AckPolicy, type ConsumerConfig, DeliverPolicy } from '@nats-io/jetstream';
import type { Bus } from './connect';
import { parseDelivery } from './delivery';
import { OneAtATime } from './one-at-a-time';
import { managerOf } from './streams';

/** One stored message as a projection sees it. Its time is the stream's, so that replicas agree. */
export interface LogMessage {
  seq: number;
  timeMs: number;
  subject: string;
  msg: Msg;
}

export interface FollowOptions {
  stream: string;
  /** Called for every message, in order, once. Must not throw: a projection skips what it cannot read, and says so. */
  onMessage: (message: LogMessage) => void;
  onError: (error: unknown) => void;
  /** Read only what was stored from this sequence on. Default: everything the stream has. */
  fromSeq?: number;
  /** Read only what was stored in the last so many milliseconds. */
  sinceMs?: number;
  /** How long to let messages gather before they are taken together. Default 50. */
  gatherMs?: number;
}

const LONG_POLL_MS = 20_000;
/** The broker says that often that a poll still stands: the node that holds it may die while the connection lives. */
const HEARTBEAT_MS = 2_000;
const SILENCE_LIMIT_MS = 2.5 * HEARTBEAT_MS;
const GATHER_MS = 50;
/** More in one go may pass what the server lets pend for a client, which it then cuts off. */
const BATCH = 500;
const ANSWER_LIMIT_MS = 3_000;
const RETRY_MS = 500;
/** A stream whose leader is being elected drops what it is asked: sooner asked again than waited for. */
const MANAGER = { timeout: 1_500 };

const HEARTBEAT = 100;

type FetchEnd = 'full' | 'empty' | 'lost';

/**
 * Follows a stream as a log. Idle, one long poll for a single message is open and nothing else happens; when it is
 * answered, the follower waits `gatherMs` and takes all there is, so that its cost is per gathering and not per message.
 *
 * The consumer is ephemeral. When it is lost (broker or its node restarted, sequence jumped, poll unanswered or silent)
 * another one is made that begins behind the last message handled, so nothing is skipped and nothing is handled twice.
 */
export class Follower {
  /** Sequence of the last message handled. */
  position = 0;
  private readonly inbox: string;
  private readonly subscription: Subscription;
  private fetch: { left: number; end: (how: FetchEnd) => void; limit: NodeJS.Timeout } | null = null;
  private fetchNo = 0;
  private consumer: string | null = null;
  private consumerSeq = 0;
  private stopped = false;
  private wake: AbortController | null = null;
  /** Callers of `caughtUp` who wait: for them nothing gathers. */
  private hurried = 0;
  private moved = new Set<() => void>();
  /** While a stream has no leader it does not answer, and whoever was not served asks again: not each with a question. */
  private last = this.lastSeq();
  private readonly done: Promise<void>;
  private readonly offReconnect: () => void;

  constructor(
    private readonly bus: Bus,
    private readonly options: FollowOptions,
  ) {
    this.inbox = bus.createInbox();
    this.subscription = bus.nc.subscribe(`${this.inbox}.*`, { callback: (_, msg) => this.receive(msg) });
    this.offReconnect = bus.onReconnect(() => {
      this.lose();
      // The answer to what was asked before will never come, and nobody should wait for it.
      this.last = this.lastSeq();
    });
    this.done = this.run();
  }

  /** Resolves when everything stored before the call is handled; false when that takes longer than `limitMs`. */
  async caughtUp(limitMs = 1_000): Promise<boolean> {
    const late = new AbortController();
    const tooLate = sleep(limitMs, false, { signal: late.signal, ref: false }).catch(() => false);
    this.hurried += 1;
    this.wake?.abort();
    try {
      return await Promise.race([this.reaches(this.last.get(), late.signal), tooLate]);
    } catch (error) {
      this.options.onError(error);
      return false;
    } finally {
      late.abort();
      this.hurried -= 1;
    }
  }

  private async reaches(asked: Promise<number>, late: AbortSignal): Promise<boolean> {
    const seq = await asked;
    while (this.position < seq) {
      if (late.aborted || this.stopped) return false;
      await new Promise<void>((resolve) => {
        this.moved.add(resolve);
        late.addEventListener('abort', () => this.moved.delete(resolve) && resolve());
      });
    }
    return true;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.offReconnect();
    this.subscription.unsubscribe();
    this.wake?.abort();
    this.fetch?.end('empty');
    this.advance(this.position);
    await this.done;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      // What is asked now is dropped, and its answer would be waited for when the broker is long back.
      if (!this.bus.connected) {
        await this.bus.backoff(RETRY_MS);
        continue;
      }
      try {
        this.consumer ??= await this.create();
        const poll = { expires: nanos(LONG_POLL_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
        const idle = await this.pull(1, poll, SILENCE_LIMIT_MS);
        if (idle !== 'full') continue;
        await this.gather();
        while (!this.stopped && (await this.pull(BATCH, { no_wait: true }, ANSWER_LIMIT_MS)) === 'full');
      } catch (error) {
        if (this.stopped) return;
        this.options.onError(error);
        this.lose();
        await this.bus.backoff(RETRY_MS);
      }
    }
  }

  private lastSeq(): OneAtATime<number> {
    return new OneAtATime(async () => {
      const jsm = await managerOf(this.bus, MANAGER);
      return (await jsm.streams.info(this.options.stream)).state.last_seq;
    });
  }

  private async create(): Promise<string> {
    const jsm = await managerOf(this.bus, MANAGER);
    const { state } = await jsm.streams.info(this.options.stream);
    const config: Partial<ConsumerConfig> = {
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(LONG_POLL_MS * 3),
      mem_storage: true,
      num_replicas: 1,
      ...this.start(),
    };
    const info = await jsm.consumers.add(this.options.stream, config);
    this.consumerSeq = 0;
    // With nothing to come, whatever the stream once held has aged out: that counts as handled.
    if (info.num_pending === 0) this.advance(Math.max(this.position, state.last_seq));
    return info.name;
  }

  private start(): Partial<ConsumerConfig> {
    const { fromSeq, sinceMs } = this.options;
    const seq = this.position > 0 ? this.position + 1 : fromSeq;
    if (seq !== undefined)
      return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, seq) };
    if (sinceMs === undefined) return { deliver_policy: DeliverPolicy.All };
    return {
      deliver_policy: DeliverPolicy.StartTime,
      opt_start_time: new Date(Date.now() - sinceMs).toISOString(),
    };
  }

  /** @param silenceMs a broker that says nothing for so long has lost the consumer */
  private async pull(batch: number, request: object, silenceMs: number): Promise<FetchEnd> {
    const reply = `${this.inbox}.${(this.fetchNo += 1)}`;
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.options.stream}.${this.consumer}`;
    const how = await new Promise<FetchEnd>((end) => {
      const limit = setTimeout(end, silenceMs, 'lost').unref();
      this.fetch = { left: batch, end, limit };
      this.bus.nc.publish(subject, JSON.stringify({ batch, ...request }), { reply });
    });
    clearTimeout(this.fetch?.limit);
    this.fetch = null;
    if (how === 'lost') this.lose();
    return how;
  }

  private async gather(): Promise<void> {
    if (this.hurried > 0) return;
    this.wake = new AbortController();
    await sleep(this.options.gatherMs ?? GATHER_MS, undefined, {
      signal: this.wake.signal,
      ref: false,
    }).catch(() => undefined);
    this.wake = null;
  }

  private receive(msg: Msg): void {
    const delivery = parseDelivery(msg.reply ?? '');
    if (!delivery) {
      // A status. Only that of the pull under way counts; one of an older consumer is stale.
      if (msg.subject !== `${this.inbox}.${this.fetchNo}`) return;
      const code = msg.headers?.code;
      if (code === HEARTBEAT) return void this.fetch?.limit.refresh();
      return this.fetch?.end(code === 503 || code === 409 ? 'lost' : 'empty');
    }
    if (delivery.consumer !== this.consumer) return;
    if (delivery.consumerSeq !== this.consumerSeq + 1) return this.fetch?.end('lost');
    this.consumerSeq = delivery.consumerSeq;
    this.handle({ seq: delivery.streamSeq, timeMs: delivery.storedAtMs, subject: msg.subject, msg });
    if (this.fetch && (this.fetch.left -= 1) === 0) this.fetch.end('full');
  }

  private handle(message: LogMessage): void {
    try {
      this.options.onMessage(message);
    } catch (error) {
      this.options.onError(error);
    }
    this.advance(message.seq);
  }

  private advance(seq: number): void {
    this.position = seq;
    const moved = this.moved;
    this.moved = new Set();
    for (const resolve of moved) resolve();
  }

  private lose(): void {
    this.consumer = null;
    this.fetch?.end('lost');
  }
}
