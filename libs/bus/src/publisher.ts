import type { Msg, MsgHdrs, NatsConnection, Subscription } from '@nats-io/transport-node';

/** The stream has the message. `duplicate`: it had one with this `Nats-Msg-Id` already, which is as good. */
export interface PubAck {
  stream: string;
  seq: number;
  duplicate?: boolean;
}

/**
 * The stream did not take the message, or did not say so in time.
 * `accepted` is `false` when it surely did not, `'unknown'` when it may have: send again with the same message id.
 */
export class PublishError extends Error {
  constructor(
    message: string,
    readonly accepted: false | 'unknown',
    /** JetStream's `err_code`, or 0. */
    readonly code: number,
  ) {
    super(message);
    this.name = 'PublishError';
  }
  /** The stream's limit was reached: back pressure, not a fault of the broker. */
  get full(): boolean {
    return this.code === STREAM_STORE_FAILED && /maximum (messages|bytes)/.test(this.message);
  }
}

const STREAM_STORE_FAILED = 10077;
const SWEEP_MS = 250;
const DEFAULT_TIMEOUT_MS = 5_000;

interface Waiting {
  resolve: (ack: PubAck) => void;
  reject: (error: PublishError) => void;
  deadline: number;
}

/**
 * Publishes to streams and matches their acknowledgements on one inbox of its own. Unlike the client's publish it
 * builds no Error and no timer per message (one sweep looks after all deadlines), and it refuses at once while
 * disconnected, where the client would drop the message without a word.
 */
export class Publisher {
  private readonly waiting = new Map<string, Waiting>();
  private readonly subscription: Subscription;
  private sweeper: NodeJS.Timeout | null = null;
  private next = 0;

  constructor(
    private readonly nc: NatsConnection,
    private readonly inbox: string,
    private readonly connected: () => boolean,
  ) {
    this.subscription = nc.subscribe(`${this.inbox}.*`, { callback: (_, msg) => this.settle(msg) });
  }

  /** Messages sent and not yet acknowledged. */
  get inFlight(): number {
    return this.waiting.size;
  }

  /**
   * @param timeoutMs after this the outcome is unknown
   * @throws PublishError
   */
  publish(
    subject: string,
    data: Uint8Array | string,
    options: { headers?: MsgHdrs; timeoutMs?: number } = {},
  ): Promise<PubAck> {
    return new Promise((resolve, reject) => {
      if (!this.connected()) return reject(new PublishError('not connected to NATS', false, 0));
      const token = (this.next = (this.next + 1) % Number.MAX_SAFE_INTEGER).toString(36);
      const deadline = Date.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
      this.waiting.set(token, { resolve, reject, deadline });
      this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
      try {
        const reply = `${this.inbox}.${token}`;
        this.nc.publish(subject, data, options.headers ? { reply, headers: options.headers } : { reply });
      } catch (error) {
        this.waiting.delete(token);
        reject(new PublishError(String(error), false, 0));
      }
    });
  }

  close(): void {
    if (this.sweeper) clearInterval(this.sweeper);
    this.subscription.unsubscribe();
    for (const [token, { reject }] of this.waiting) {
      this.waiting.delete(token);
      reject(new PublishError('closed before the acknowledgement', 'unknown', 0));
    }
  }

  private settle(msg: Msg): void {
    const token = msg.subject.slice(this.inbox.length + 1);
    const waiter = this.waiting.get(token);
    if (!waiter) return;
    this.waiting.delete(token);
    // No responders: no stream listens on the subject, or it has no leader now.
    if (msg.data.length === 0 && msg.headers?.code === 503) {
      return waiter.reject(new PublishError('no stream takes this subject now', false, 503));
    }
    try {
      const ack = msg.json<PubAck & { error?: { description: string; err_code: number } }>();
      if (ack.error) waiter.reject(new PublishError(ack.error.description, false, ack.error.err_code));
      else waiter.resolve(ack);
    } catch {
      waiter.reject(new PublishError('unreadable acknowledgement', 'unknown', 0));
    }
  }

  private sweep(): void {
    const now = Date.now();
    for (const [token, { deadline, reject }] of this.waiting) {
      if (deadline > now) continue;
      this.waiting.delete(token);
      reject(new PublishError('no acknowledgement in time', 'unknown', 0));
    }
    // An idle process has nothing to wake up for.
    if (this.waiting.size > 0 || !this.sweeper) return;
    clearInterval(this.sweeper);
    this.sweeper = null;
  }
}
