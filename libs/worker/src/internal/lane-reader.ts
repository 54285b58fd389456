import { type Msg, nanos, type Subscription } from '@nats-io/transport-node';
import { type Bus, isConsumerGone, parseDelivery, type PullRequest, pullRequest } from '@tps/bus';
import type { LeaseTable } from './lease-table';
import type { Answerable, QueueLife } from './queue-life';

/** A message from a lane, with the broker's facts about its delivery. */
export interface Delivery extends Answerable {
  lane: string;
  /** It answers a planned pull. Otherwise it came by the long poll of an idle lane. */
  planned: boolean;
  /** Its entry in the lease table, -1 without one. */
  entry: number;
}

interface Lane {
  readonly name: string;
  readonly index: number;
  /** Messages that waited there by the broker's last report, less those requested since. */
  known: number;
  /** Messages that planned pulls requested and that have not come yet. */
  asked: number;
  pulls: Map<string, { left: number; sentMs: number }>;
  /** The open long poll: its inbox suffix, and how many more messages it requests. */
  poll: { suffix: string; left: number; sentMs: number } | null;
  /** Messages that came in the current window of `BURST_MS`, and in the one before. */
  came: { sinceMs: number; count: number; before: number };
  retryAtMs: number;
  /** When the broker last reported how many messages it holds. */
  heardMs: number;
}

/** How long a poll on an idle lane stays open, and so how long a stop may have to wait for it. */
export const POLL_MS = 4_000;
/** A poll requests as many messages as came in a window of this length. */
const BURST_MS = 20;
/** A pull without an answer within this time was lost with the connection or with the lane. */
const ANSWER_LIMIT_MS = 1_500;
const RETRY_MS = 250;
/** After this time without a report, the depth of a lane is unknown. The time grows with the number of lanes. */
const STALE_MS = 1_000;
const STALE_MS_PER_LANE = 25;

export interface LaneEvents {
  onMessage: (delivered: Delivery) => void;
  /** `count` requested signals will not come. */
  onMissing: (lane: string, count: number) => void;
  /** A lane is gone, or does not answer. */
  onLost: () => void;
}

/**
 * Reads lanes by two kinds of pull requests. Planned pulls request exactly what the level sequence chose (`no_wait`, so
 * that nothing is outstanding when a lane must stop). A long poll is open on each idle lane, for a single message or for
 * the next burst of a busy lane, so that new messages come without another request.
 *
 * A message carries its own subject and not the inbox, so each kind has its own inbox, which tells what a message
 * answers. The subscriptions live as long as the reader: unsubscribing while a message is on its way would delay that
 * message by a lease.
 */
export class LaneReader {
  private readonly pullInbox: string;
  private readonly pollInbox: string;
  private readonly subscriptions: Subscription[];
  private readonly lanes = new Map<string, Lane>();
  private readonly byIndex: Lane[] = [];
  private pullNo = 0;

  constructor(
    private readonly bus: Bus,
    private readonly life: QueueLife,
    private readonly table: LeaseTable,
    private readonly events: LaneEvents,
  ) {
    const inbox = bus.createInbox();
    this.pullInbox = `${inbox}.pull`;
    this.pollInbox = `${inbox}.poll`;
    this.subscriptions = [this.pullInbox, this.pollInbox].map((own) => {
      const planned = own === this.pullInbox;
      return bus.nc.subscribe(`${own}.*.*`, { callback: (_, msg) => this.receive(msg, planned) });
    });
  }

  add(name: string): void {
    if (this.lanes.has(name)) return;
    const lane: Lane = {
      name,
      index: this.byIndex.length,
      known: 0,
      asked: 0,
      pulls: new Map(),
      poll: null,
      came: { sinceMs: 0, count: 0, before: 0 },
      retryAtMs: 0,
      heardMs: Date.now(),
    };
    this.lanes.set(name, lane);
    this.byIndex.push(lane);
  }

  /** How many signals are believed to wait on a lane beyond those requested. */
  waiting(name: string): number {
    return this.lanes.get(name)?.known ?? 0;
  }

  /** The lane has no open poll and was not heard of for a while, so it may have work that this worker does not know of. */
  isStale(name: string, nowMs: number): boolean {
    const lane = this.lanes.get(name);
    if (!lane || lane.poll !== null || lane.asked > 0 || nowMs < lane.retryAtMs) return false;
    return nowMs - lane.heardMs > Math.max(STALE_MS, STALE_MS_PER_LANE * this.byIndex.length);
  }

  /** Counts a message that goes back to its lane. */
  countReleased(name: string): void {
    const lane = this.lanes.get(name);
    if (lane) lane.known += 1;
  }

  /** Nothing is requested and no poll is open. */
  get quiet(): boolean {
    return this.byIndex.every((lane) => lane.poll === null && lane.asked === 0);
  }

  /** Requests `batch` signals that are believed to be in the lane. */
  pull(name: string, batch: number): void {
    const lane = this.lanes.get(name);
    if (!lane) return;
    const suffix = this.suffix(lane);
    lane.known = Math.max(0, lane.known - batch);
    lane.asked += batch;
    lane.pulls.set(suffix, { left: batch, sentMs: Date.now() });
    this.request(lane, `${this.pullInbox}.${suffix}`, { batch, no_wait: true });
  }

  /**
   * Keeps one long poll open on an idle lane.
   * @param options.atMost the most messages that it may request
   * @param options.known polls also a lane that is known to have work
   */
  poll(name: string, nowMs: number, { atMost = 1, known = false } = {}): void {
    const lane = this.lanes.get(name);
    if (!lane || lane.poll !== null || lane.asked > 0 || nowMs < lane.retryAtMs) return;
    if (lane.known > 0 && !known) return;
    const batch = Math.max(1, Math.min(burstOf(lane, nowMs), atMost));
    lane.poll = { suffix: this.suffix(lane), left: batch, sentMs: nowMs };
    this.request(lane, `${this.pollInbox}.${lane.poll.suffix}`, { batch, expires: nanos(POLL_MS) });
  }

  /** Messages that open polls request. */
  get polled(): number {
    let polled = 0;
    for (const { poll } of this.byIndex) if (poll) polled += poll.left;
    return polled;
  }

  /** Gives up requests without an answer: their connection or their lane is gone. */
  sweep(nowMs: number): void {
    let lost = false;
    for (const lane of this.byIndex) {
      if (lane.poll !== null && nowMs - lane.poll.sentMs > POLL_MS + ANSWER_LIMIT_MS) {
        lane.poll = null;
        lost = true;
      }
      for (const [suffix, { sentMs }] of lane.pulls) {
        if (nowMs - sentMs <= ANSWER_LIMIT_MS) continue;
        this.end(lane, suffix);
        lost = true;
      }
    }
    if (lost) this.events.onLost();
  }

  /** Forgets all requests: after a reconnect, their messages will not come. */
  reset(): void {
    for (const lane of this.byIndex) {
      lane.poll = null;
      for (const suffix of [...lane.pulls.keys()]) this.end(lane, suffix);
    }
  }

  close(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  private suffix(lane: Lane): string {
    this.pullNo += 1;
    return `${lane.index}.${this.pullNo.toString(36)}`;
  }

  private request({ name: consumer }: Lane, reply: string, request: PullRequest): void {
    pullRequest(this.bus, { stream: this.bus.names.streams.kanban, consumer, reply }, request);
  }

  private receive(msg: Msg, planned: boolean): void {
    const info = parseDelivery(msg.reply ?? '');
    if (!info) return this.receiveStatus(msg, planned);
    const lane = this.lanes.get(info.consumer);
    if (!lane) return;
    if (planned) settlePull(lane);
    else if (lane.poll && (lane.poll.left -= 1) === 0) lane.poll = null;
    // Other workers pull from the lane, too, so it may hold less by now. A request for more is answered at once.
    lane.known = Math.max(0, info.pending - lane.asked - (lane.poll?.left ?? 0));
    lane.heardMs = Date.now();
    countIn(lane);
    const { life } = this;
    const entry = this.table.enter(msg);
    this.events.onMessage({ lane: lane.name, msg, info, planned, life, lifeNo: life.no, entry });
  }

  /** A pull or poll ended without all of its messages: 404 no messages, 408 timed out, 409 and 503 no such lane. */
  private receiveStatus(msg: Msg, planned: boolean): void {
    const inbox = planned ? this.pullInbox : this.pollInbox;
    const suffix = msg.subject.slice(inbox.length + 1);
    const lane = this.byIndex[Number(suffix.split('.')[0])];
    if (!lane) return;
    lane.heardMs = Date.now();
    if (planned) this.end(lane, suffix);
    else if (lane.poll?.suffix === suffix) lane.poll = null;
    if (!isConsumerGone(msg)) return;
    lane.retryAtMs = lane.heardMs + RETRY_MS;
    this.events.onLost();
  }

  private end(lane: Lane, suffix: string): void {
    const pull = lane.pulls.get(suffix);
    if (!pull) return;
    lane.pulls.delete(suffix);
    lane.asked -= pull.left;
    lane.known = 0;
    this.events.onMissing(lane.name, pull.left);
  }
}

/** Counts a message for the oldest pull, because the pulls of a lane are answered in order. */
function settlePull(lane: Lane): void {
  for (const [suffix, pull] of lane.pulls) {
    lane.asked -= 1;
    pull.left -= 1;
    if (pull.left === 0) lane.pulls.delete(suffix);
    return;
  }
}

function countIn({ came, heardMs }: Lane): void {
  const age = heardMs - came.sinceMs;
  if (age >= BURST_MS) {
    came.before = age < 2 * BURST_MS ? came.count : 0;
    came.count = 0;
    came.sinceMs = heardMs;
  }
  came.count += 1;
}

/** Predicts how many messages come in the next window: as many as in the last one. */
function burstOf({ came }: Lane, nowMs: number): number {
  return nowMs - came.sinceMs < 2 * BURST_MS ? Math.max(came.before, came.count) : 1;
}
