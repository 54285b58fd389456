import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';

/** Called once: with the reply, or with null when none came in time or the inbox was closed. */
export type OnReply = (msg: Msg | null) => void;

const SWEEP_MS = 100;

/**
 * One inbox for the replies to everything that a process asks. Unlike the client's own requests it builds no Error and
 * no timer per message: one sweep looks after all deadlines, which are kept to a tenth of a second.
 */
export class ReplyInbox {
  private readonly waiting = new Map<string, { onReply: OnReply; deadlineMs: number }>();
  private readonly subscription: Subscription;
  private sweeper: NodeJS.Timeout | null = null;
  private next = 0;

  constructor(
    nc: NatsConnection,
    private readonly inbox: string,
  ) {
    this.subscription = nc.subscribe(`${inbox}.*`, {
      callback: (error, msg) => {
        // The connection's status tells it; those who wait have their deadlines.
        if (!error) this.settle(msg);
      },
    });
  }

  /** @returns the subject to reply to */
  expect(timeoutMs: number, onReply: OnReply): string {
    const token = (this.next = (this.next + 1) % Number.MAX_SAFE_INTEGER).toString(36);
    this.waiting.set(token, { onReply, deadlineMs: Date.now() + timeoutMs });
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
    return `${this.inbox}.${token}`;
  }

  /** What was asked could not be sent. */
  forget(subject: string): void {
    this.waiting.delete(subject.slice(this.inbox.length + 1));
  }

  close(): void {
    if (this.sweeper) clearInterval(this.sweeper);
    this.sweeper = null;
    this.subscription.unsubscribe();
    for (const [token, { onReply }] of this.waiting) {
      this.waiting.delete(token);
      onReply(null);
    }
  }

  private settle(msg: Msg): void {
    const token = msg.subject.slice(this.inbox.length + 1);
    const waiter = this.waiting.get(token);
    if (!waiter) return;
    this.waiting.delete(token);
    waiter.onReply(msg);
  }

  private sweep(): void {
    const now = Date.now();
    for (const [token, { deadlineMs, onReply }] of this.waiting) {
      if (deadlineMs > now) continue;
      this.waiting.delete(token);
      onReply(null);
    }
    // An idle process has nothing to wake up for.
    if (this.waiting.size > 0 || !this.sweeper) return;
    clearInterval(this.sweeper);
    this.sweeper = null;
  }
}

/** Nobody listens on the subject: the broker says so at once. */
export function isNoResponders(msg: Msg): boolean {
  return msg.data.length === 0 && msg.headers?.code === 503;
}
