import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';

/** Called once: with the reply, or with null if none came in time or the inbox was closed. */
export type OnReply = (msg: Msg | null) => void;

const SWEEP_MS = 100;

/**
 * One inbox for the replies to all requests of a process. Unlike the client's own requests it creates no Error and no
 * timer per request: one sweep checks all deadlines, to a tenth of a second.
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
        // The status of the connection reports the error, and every waiter has a deadline.
        if (!error) this.settle(msg);
      },
    });
  }

  /** Registers a request. @returns the subject for its reply */
  expect(timeoutMs: number, onReply: OnReply): string {
    const token = (this.next = (this.next + 1) % Number.MAX_SAFE_INTEGER).toString(36);
    this.waiting.set(token, { onReply, deadlineMs: Date.now() + timeoutMs });
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
    return `${this.inbox}.${token}`;
  }

  /** Removes a request that could not be sent. */
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
    // An idle process must not wake up.
    if (this.waiting.size > 0 || !this.sweeper) return;
    clearInterval(this.sweeper);
    this.sweeper = null;
  }
}

/** Whether the broker says that nothing listens on the subject. */
export function isNoResponders(msg: Msg): boolean {
  return msg.data.length === 0 && msg.headers?.code === 503;
}
