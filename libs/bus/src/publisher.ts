import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import { isNoResponders, type ReplyInbox } from './reply-inbox';

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
  /** No stream takes the subject: it has no leader now, or is gone. */
  get isNoStream(): boolean {
    return this.code === NO_STREAM;
  }
  /** The stream's limit was reached: back pressure, not a fault of the broker. */
  get full(): boolean {
    return this.code === STREAM_STORE_FAILED && /maximum (messages|bytes)/.test(this.message);
  }
}

const STREAM_STORE_FAILED = 10077;
const NO_STREAM = 503;
const DEFAULT_TIMEOUT_MS = 5_000;

/**
 * Publishes to streams and matches their acknowledgements. It refuses at once while disconnected, where the client
 * would drop the message without a word.
 */
export class Publisher {
  private closed = false;

  constructor(
    private readonly nc: NatsConnection,
    private readonly replies: ReplyInbox,
    private readonly connected: () => boolean,
  ) {}

  /**
   * @param options.timeoutMs after this the outcome is unknown
   * @throws PublishError
   */
  publish(
    subject: string,
    data: Uint8Array | string,
    options: { headers?: MsgHdrs; timeoutMs?: number } = {},
  ): Promise<PubAck> {
    return new Promise((resolve, reject) => {
      if (!this.connected()) return reject(new PublishError('not connected to NATS', false, 0));
      const reply = this.replies.expect(options.timeoutMs ?? DEFAULT_TIMEOUT_MS, (msg) => {
        const ack = msg ? readAck(msg) : this.silence();
        if (ack instanceof PublishError) reject(ack);
        else resolve(ack);
      });
      try {
        this.nc.publish(subject, data, options.headers ? { reply, headers: options.headers } : { reply });
      } catch (error) {
        this.replies.forget(reply);
        reject(new PublishError(String(error), false, 0));
      }
    });
  }

  close(): void {
    this.closed = true;
  }

  private silence(): PublishError {
    const message = this.closed ? 'closed before the acknowledgement' : 'no acknowledgement in time';
    return new PublishError(message, 'unknown', 0);
  }
}

function readAck(msg: Msg): PubAck | PublishError {
  // No stream has the subject, or it has no leader now.
  if (isNoResponders(msg)) return new PublishError('no stream takes this subject now', false, NO_STREAM);
  try {
    const ack = msg.json<PubAck & { error?: { description: string; err_code: number } }>();
    return ack.error ? new PublishError(ack.error.description, false, ack.error.err_code) : ack;
  } catch {
    return new PublishError('unreadable acknowledgement', 'unknown', 0);
  }
}
