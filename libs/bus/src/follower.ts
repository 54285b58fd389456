import { setTimeout as sleep } from 'node:timers/promises';
import { type Msg, nanos } from '@nats-io/transport-node';
import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import type { Bus } from './connect';
import type { DeliveryInfo } from './delivery';
import { consumerFor, type FollowOptions } from './follow-options';
import { type LogFacts, LogLife, LogUnsureError } from './log-life';
import { SingleFlight } from './single-flight';
import { PullInbox, type Receipt } from './pull-inbox';
import { isMissingStream, managerOf } from './streams';

const LONG_POLL_MS = 20_000;
/** The broker says that often that a poll still stands: the node that holds it may die while the connection lives. */
const HEARTBEAT_MS = 2_000;
const SILENCE_LIMIT_MS = 2.5 * HEARTBEAT_MS;
const GATHER_MS = 50;
/** More in one go may pass what the server lets pend for a client, which it then cuts off. */
const BATCH = 500;
const ANSWER_LIMIT_MS = 3_000;
const RETRY_MS = 500;
/** A consumer that ends as soon as it is made must not be made again without a pause. */
const LOST_PAUSE_MS = 20;
/** A stream whose leader is being elected drops what it is asked: sooner asked again than waited for. */
const MANAGER = { timeout: 1_500 };

/**
 * Follows a stream as a log. Idle, one long poll for a single message is open and nothing else happens; when it is
 * answered, the follower waits `gatherMs` and takes all there is, so that its cost is per gathering and not per message.
 * With `gatherMs` 0 it takes each message as it comes.
 *
 * The consumer is ephemeral. When it is lost (broker or its node restarted, sequence jumped, poll unanswered or silent)
 * another one is made that begins behind the last message handled, so nothing is skipped and nothing is handled twice.
 * Each time the follower checks that it is still the same log (`LogLife`); another log is read from its beginning.
 */
export class Follower {
  /** Sequence of the last message handled. */
  position = 0;
  private readonly inbox: PullInbox;
  private readonly life = new LogLife();
  private consumer: string | null = null;
  private consumerSeq = 0;
  /** Messages up to here were stored before the consumer was made; null once they are handled. */
  private catchUpTo: number | null = null;
  private lostMs = Date.now();
  private stopped = false;
  private wake: AbortController | null = null;
  /** Callers of `caughtUp` who wait: for them nothing gathers. */
  private urgentWaiters = 0;
  private moved = new Set<() => void>();
  /** While a stream has no leader it does not answer, and whoever was not served asks again: not each with a question. */
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
      // The answer to what was asked before will never come, and nobody should wait for it.
      this.end = this.endOfLog();
    });
    this.done = this.run();
  }

  /** Creation time of the stream that is followed; undefined before its first consumer. */
  get created(): string | undefined {
    return this.life.created;
  }

  /** What is stored now will be handled at once. */
  get isFollowing(): boolean {
    return this.consumer !== null && this.catchUpTo === null && this.bus.connected;
  }

  /** For how long the stream has not been followed, in milliseconds. */
  lostFor(nowMs: number): number {
    return this.isFollowing ? 0 : nowMs - this.lostMs;
  }

  /** Resolves when everything stored before the call is handled; false when that takes longer than `limitMs`. */
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

  /** Waits for a condition that changes as the follower goes on; false when that takes longer than `limitMs`. */
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

  /** Asks whether it is still the same log: the broker may not have said yet that the consumer is gone. */
  async verify(): Promise<void> {
    const { created } = await this.end.get();
    if (created !== this.created) this.lose();
  }

  /** Makes another consumer, and looks whether it is still the same log. */
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
      // What is asked now is dropped, and its answer would be waited for when the broker is long back.
      if (!this.bus.connected) {
        await this.bus.sleepUntilReconnect(RETRY_MS);
        continue;
      }
      try {
        if (!this.consumer) await this.create();
        const poll = { expires: nanos(LONG_POLL_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
        // Where nothing gathers the poll stays open: a pull from a consumer that is gone is answered by nobody.
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
    // With nothing to come, whatever the stream once held has aged out: that counts as handled.
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

  /** @returns whether as many messages came as were asked for */
  private async pull(batch: number, request: object, silenceMs: number): Promise<boolean> {
    const { consumer } = this;
    if (!consumer) return false;
    const how = await this.inbox.pull({ stream: this.options.stream, consumer, batch, request, silenceMs });
    await this.options.onRead?.();
    if (how !== 'lost') return how === 'full';
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
    // The last messages that were there when the consumer was made may have been deleted since.
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
