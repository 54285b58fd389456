import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Bus } from '@tps/bus';
import { finalOutcome, type Outcome, readReplies } from '@tps/contracts';
import type { Logger } from '@tps/telemetry';
import type { SignalLookup } from './signal-lookup';

const SWEEP_MS = 50;
/** A reply that has not come by then may have been lost: it is sent once, and nobody keeps it. */
const LOOKUP_AFTER_MS = 3_000;
const LONG_POLL_MS = 10_000;
/** Between long polls: an answer may come at once without what is waited for. */
const POLL_PAUSE_MS = 250;

/** One caller who waits for one signal. */
export class OutcomeWaiter {
  /** The final outcome; null when the caller's time is up, it left, or the gateway stops. */
  readonly outcome: Promise<Outcome | null>;
  /** Outcomes of earlier runs are not what this caller waits for. */
  fromRun = 0;
  nextLookupMs: number;
  private settle!: (outcome: Outcome | null) => void;

  constructor(
    readonly id: string,
    readonly deadlineMs: number,
    private readonly leave: (waiter: OutcomeWaiter) => void,
  ) {
    this.nextLookupMs = Date.now() + LOOKUP_AFTER_MS;
    this.outcome = new Promise((resolve) => (this.settle = resolve));
  }

  end(outcome: Outcome | null): void {
    this.leave(this);
    this.settle(outcome);
  }
}

/**
 * Everybody at this gateway who waits for an outcome. Workers publish outcomes to one subject of this process. Such a
 * reply is sent at most once, so waiters of some age are looked up in the records as well, and all of them when NATS
 * was away. One sweep looks after all deadlines; with nobody waiting, nothing runs.
 */
export class OutcomeWaiters {
  /** Goes with a signal as `reply_to`. */
  readonly replyTo: string;
  private readonly byId = new Map<string, OutcomeWaiter[]>();
  private readonly polled = new Set<string>();
  private readonly subscription: Subscription;
  private readonly offReconnect: () => void;
  private sweeper: NodeJS.Timeout | undefined;

  constructor(
    bus: Bus,
    private readonly lookup: SignalLookup,
    private readonly log: Logger,
  ) {
    this.replyTo = bus.createInbox();
    this.subscription = bus.nc.subscribe(this.replyTo, { callback: (_, msg) => this.hear(msg) });
    this.offReconnect = bus.onReconnect(() => void this.lookUp([...this.byId.keys()]));
  }

  /** Callers that wait now. */
  get size(): number {
    let size = 0;
    for (const waiters of this.byId.values()) size += waiters.length;
    return size;
  }

  open(id: string, deadlineMs: number): OutcomeWaiter {
    const waiter = new OutcomeWaiter(id, deadlineMs, (left) => this.remove(left));
    const others = this.byId.get(id);
    if (others) others.push(waiter);
    else this.byId.set(id, [waiter]);
    this.sweeper ??= setTimeout(() => this.sweep(), SWEEP_MS);
    return waiter;
  }

  /** Follows the signal in the records: for one whose outcome is sent to somebody else, or to nobody. */
  follow(waiter: OutcomeWaiter): void {
    if (this.polled.has(waiter.id)) return;
    this.polled.add(waiter.id);
    void this.poll(waiter.id).finally(() => this.polled.delete(waiter.id));
  }

  /** Lets everybody go without an outcome. */
  close(): void {
    for (const waiters of [...this.byId.values()]) for (const waiter of [...waiters]) waiter.end(null);
    clearTimeout(this.sweeper);
    this.offReconnect();
    this.subscription.unsubscribe();
  }

  private hear(msg: Msg): void {
    try {
      for (const outcome of readReplies(msg)) if (outcome.final) this.settle(outcome);
    } catch (error) {
      this.log.error('unreadable reply of a worker', { error });
    }
  }

  private settle(outcome: Outcome): void {
    const waiters = this.byId.get(outcome.signal_id) ?? [];
    for (const waiter of [...waiters]) if (outcome.run >= waiter.fromRun) waiter.end(outcome);
  }

  private remove(waiter: OutcomeWaiter): void {
    const waiters = this.byId.get(waiter.id);
    if (!waiters) return;
    const at = waiters.indexOf(waiter);
    if (at >= 0) waiters.splice(at, 1);
    if (waiters.length === 0) this.byId.delete(waiter.id);
  }

  private sweep(): void {
    const now = Date.now();
    const old: string[] = [];
    for (const waiters of [...this.byId.values()]) {
      for (const waiter of [...waiters]) {
        if (waiter.deadlineMs <= now) waiter.end(null);
        else if (waiter.nextLookupMs <= now) {
          waiter.nextLookupMs = now + LOOKUP_AFTER_MS;
          old.push(waiter.id);
        }
      }
    }
    if (old.length > 0) void this.lookUp([...new Set(old)]);
    this.sweeper = this.byId.size > 0 ? setTimeout(() => this.sweep(), SWEEP_MS) : undefined;
  }

  private async lookUp(ids: string[], waitMs = 0): Promise<void> {
    if (ids.length === 0) return;
    try {
      for (const outcomes of (await this.lookup.outcomes(ids, waitMs)).values()) {
        const outcome = finalOutcome(outcomes);
        if (outcome) this.settle(outcome);
      }
    } catch {
      // The replies still come, and the next sweep asks again.
    }
  }

  private async poll(id: string): Promise<void> {
    for (let waiters = this.byId.get(id); waiters; waiters = this.byId.get(id)) {
      const longest = Math.max(...waiters.map(({ deadlineMs }) => deadlineMs));
      const waitMs = Math.min(LONG_POLL_MS, longest - Date.now());
      await this.lookUp([id], Math.max(waitMs, 1));
      if (this.byId.has(id)) await new Promise((resolve) => setTimeout(resolve, POLL_PAUSE_MS));
    }
  }
}
