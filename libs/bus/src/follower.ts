import { setTimeout as sleep } from 'node:timers/promises';
import { type Msg, nanos } from '@nats-io/transport-node';
import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import type { Bus } from './connect';
import type { DeliveryInfo } from './delivery';
import { consumerFor, type FollowOptions } from './follow-options';
import { type LogFacts, LogLife, LogUnsureError } from './log-life';
import { SingleFlight } from './single-flight';
import { PullInbox, type Receipt } from './pull-inbox';
import type { PullRequest } from './pull-request';
import { isMissingStream, managerOf } from './streams';

const LONG_POLL_MS = 20_000;
/** The broker confirms an open poll this often, because its node may die while the connection lives. */
const HEARTBEAT_MS = 2_000;
const SILENCE_LIMIT_MS = 2.5 * HEARTBEAT_MS;
const GATHER_MS = 50;
/** A larger batch could exceed the pending limit of the server, which then disconnects the client. */
const BATCH = 500;
const ANSWER_LIMIT_MS = 3_000;
const RETRY_MS = 500;
/** Pause before a lost consumer is replaced, so that consumers that end at once do not cause a busy loop. */
const LOST_PAUSE_MS = 20;
/** A stream without a leader drops requests, so it is better to ask again soon than to wait long. */
const MANAGER = { timeout: 1_500 };

/**
 * Follows a stream as a log. While the stream is idle, one long poll for a single message is open. When a message
 * answers it, the follower waits `gatherMs` and reads all messages that are there, so that the cost is per gathering and
 * not per message. With `gatherMs` 0 it reads each message as it comes.
 *
 * The consumer is ephemeral. When it is lost (broker or node restarted, sequence jumped, poll unanswered or silent), the
 * follower creates another one that begins behind the last handled message, so no message is skipped or handled twice.
 * Each time it checks whether the log is still the same (`LogLife`); another log is read from its beginning.
 */
export class Follower {
  /** Sequence of the last message handled. */
  position = 0;
  private readonly inbox: PullInbox;
  private readonly life = new LogLife();
  private consumer: string | null = null;
  private consumerSeq = 0;
  /** Messages up to here were stored before the consumer was created; null once they are handled. */
  private catchUpTo: number | null = null;
  private lostMs = Date.now();
  private stopped = false;
  private wake: AbortController | null = null;
  /** Waiting callers of `caughtUp`. While there are any, messages do not gather. */
  private urgentWaiters = 0;
  private moved = new Set<() => void>();
  /** Shared by all callers, because a stream without a leader does not answer and every caller asks again. */
  private end = this.endOfLog();
  private readonly done: Promise<void>;
  private readonly offReconnect: () => void;

  constructor(
    private readonly bus: Bus,
    private readonly options: FollowOptions,
  ) {
    this.inbox = new PullInbox(bus, (delivery, msg) => this.receive(delivery, msg));
    this.offReconnect = bus.onReconnect(() => {
      this.lose();
      // Replies to earlier requests will never come, and no caller should wait for them.
      this.end = this.endOfLog();
    });
    this.done = this.run();
  }

  /** Creation time of the followed stream; undefined before the first consumer. */
  get created(): string | undefined {
    return this.life.created;
  }

  /** Whether a message that is stored now will be handled at once. */
  get isFollowing(): boolean {
    return this.consumer !== null && this.catchUpTo === null && this.bus.connected;
  }

  /** How long the stream has not been followed, in milliseconds; 0 while it is. */
  lostFor(nowMs: number): number {
    return this.isFollowing ? 0 : nowMs - this.lostMs;
  }

  /** Waits until all messages that were stored before the call are handled. @returns false after `limitMs` */
  async caughtUp(limitMs = 1_000): Promise<boolean> {
    const late = new AbortController();
    const tooLate = sleep(limitMs, false, { signal: late.signal, ref: false }).catch(() => false);
    this.urgentWaiters += 1;
    this.wake?.abort();
    const reached = this.end.get().then(({ created, lastSeq }) => {
      return this.until(() => this.created === created && this.position >= lastSeq, limitMs);
    });
    try {
      return await Promise.race([reached, tooLate]);
    } catch (error) {
      this.options.onError(error);
      return false;
    } finally {
      late.abort();
      this.urgentWaiters -= 1;
    }
  }

  /** Waits for a condition, which is checked whenever the follower moves on. @returns false after `limitMs` */
  async until(probe: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = performance.now() + limitMs;
    while (!probe()) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || this.stopped) return false;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          clearTimeout(timer);
          this.moved.delete(go);
          resolve();
        };
        const timer = setTimeout(go, leftMs).unref();
        this.moved.add(go);
      });
    }
    return true;
  }

  /** Checks that the log is still the same, because the broker may not have reported yet that the consumer is gone. */
  async verify(): Promise<void> {
    const { created } = await this.end.get();
    if (created !== this.created) this.lose();
  }

  /** Drops the consumer. The next one checks whether the log is still the same. */
  lose(): void {
    if (this.isFollowing) this.lostMs = Date.now();
    this.consumer = null;
    this.inbox.end('lost');
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.offReconnect();
    this.wake?.abort();
    this.inbox.close();
    this.tellMoved();
    await this.done;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      // The client would drop a request now, and its reply would still be awaited when the broker is back.
      if (!this.bus.connected) {
        await this.bus.sleepUntilReconnect(RETRY_MS);
        continue;
      }
      try {
        if (!this.consumer) await this.create();
        const poll = { expires: nanos(LONG_POLL_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
        // Without gathering the poll stays open, because nobody answers a pull from a consumer that is gone.
        const batch = this.gatherMs === 0 ? BATCH : 1;
        if (!(await this.pull(batch, poll, SILENCE_LIMIT_MS)) || batch > 1) continue;
        await this.gather();
        while (!this.stopped && (await this.pull(BATCH, { no_wait: true }, ANSWER_LIMIT_MS)));
      } catch (error) {
        if (this.stopped) return;
        this.options.onError(error);
        this.lose();
        await this.bus.sleepUntilReconnect(RETRY_MS);
      }
    }
  }

  private endOfLog(): SingleFlight<LogFacts> {
    return new SingleFlight(async () => this.look(await managerOf(this.bus, MANAGER)));
  }

  private async look(jsm: JetStreamManager): Promise<LogFacts> {
    const { created, state } = await jsm.streams.info(this.options.stream);
    return { created, lastSeq: state.last_seq };
  }

  private async create(): Promise<void> {
    const jsm = await managerOf(this.bus, MANAGER);
    let consumer = await this.add(jsm, this.position);
    let log = await this.look(jsm);
    const replaced = this.life.isReplaced(log, this.position);
    if (replaced) {
      const { created } = log;
      consumer = await this.add(jsm, 0);
      log = await this.look(jsm);
      if (log.created !== created) throw new LogUnsureError(`${this.options.stream} was replaced just now`);
    }
    this.begin(log, replaced);
    this.consumer = consumer.name;
    // If nothing is pending, the earlier messages have aged out and count as handled.
    if (consumer.num_pending === 0) this.advance(Math.max(this.position, log.lastSeq));
  }

  private async add(jsm: JetStreamManager, position: number): Promise<ConsumerInfo> {
    const { stream, ensure } = this.options;
    const start = { position, isFirst: this.created === undefined, idleMs: LONG_POLL_MS * 3 };
    const config = consumerFor(this.options, start);
    try {
      return await jsm.consumers.add(stream, config);
    } catch (error) {
      if (!ensure || !isMissingStream(error)) throw error;
    }
    await ensure();
    return jsm.consumers.add(stream, config);
  }

  private begin(log: LogFacts, replaced: boolean): void {
    const { stream, entries, onStart } = this.options;
    const life = this.life.begin(log);
    if (replaced) {
      this.bus.losses.add({ name: stream, life, ...(entries ? { entries: entries() } : {}) });
      this.position = 0;
    }
    this.consumerSeq = 0;
    this.catchUpTo = log.lastSeq;
    onStart?.({ ...log, replaced });
  }

  /** @returns whether the whole batch came */
  private async pull(batch: number, given: Omit<PullRequest, 'batch'>, silenceMs: number): Promise<boolean> {
    const { consumer } = this;
    if (!consumer) return false;
    const request = { batch, ...given };
    const end = await this.inbox.pull({ stream: this.options.stream, consumer, request, silenceMs });
    await this.options.onRead?.();
    if (end !== 'lost') return end === 'full';
    this.lose();
    await this.bus.sleepUntilReconnect(LOST_PAUSE_MS);
    return false;
  }

  private get gatherMs(): number {
    return this.options.gatherMs ?? GATHER_MS;
  }

  private async gather(): Promise<void> {
    if (this.urgentWaiters > 0) return;
    this.wake = new AbortController();
    const { signal } = this.wake;
    await sleep(this.gatherMs, undefined, { signal, ref: false }).catch(() => undefined);
    this.wake = null;
  }

  private receive(delivery: DeliveryInfo, msg: Msg): Receipt {
    const { consumer, consumerSeq, streamSeq, storedAtMs, pending } = delivery;
    if (consumer !== this.consumer) return 'stale';
    if (consumerSeq !== this.consumerSeq + 1) return 'gap';
    this.consumerSeq = consumerSeq;
    try {
      this.options.onMessage({ seq: streamSeq, timeMs: storedAtMs, subject: msg.subject, msg });
    } catch (error) {
      this.options.onError(error);
    }
    // The last messages that existed when the consumer was created may have been deleted since.
    this.advance(pending === 0 ? Math.max(streamSeq, this.catchUpTo ?? 0) : streamSeq);
    return 'taken';
  }

  private advance(seq: number): void {
    this.position = seq;
    if (this.catchUpTo !== null && seq >= this.catchUpTo) {
      this.catchUpTo = null;
      this.options.onCaughtUp?.();
    }
    this.tellMoved();
  }

  private tellMoved(): void {
    for (const go of [...this.moved]) go();
  }
}
