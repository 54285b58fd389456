import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import { isNoResponders, type ReplyInbox } from './reply-inbox';

/** The stream has the message. With `duplicate` it had a message with this `Nats-Msg-Id` already. */
export interface PubAck {
  stream: string;
  seq: number;
  duplicate?: boolean;
}

/**
 * The stream did not confirm the message in time. `accepted` is `false` if the stream certainly does not have it, and
 * `'unknown'` if it may: then send it again with the same message id.
 */
export class PublishError extends Error {
  constructor(
    message: string,
    readonly accepted: false | 'unknown',
    /** The `err_code` of JetStream; 0 if there is none. */
    readonly code: number,
  ) {
    super(message);
    this.name = 'PublishError';
  }
  /** No stream takes the subject: it has no leader, or is missing. */
  get isNoStream(): boolean {
    return this.code === NO_STREAM;
  }
  /** The stream is at its limit: back pressure, not a fault of the broker. */
  get full(): boolean {
    return this.code === STREAM_STORE_FAILED && /maximum (messages|bytes)/.test(this.message);
  }
}

const STREAM_STORE_FAILED = 10077;
const NO_STREAM = 503;
const DEFAULT_TIMEOUT_MS = 5_000;

/**
 * Publishes to streams and matches their acknowledgements. While disconnected it fails at once, where the client would
 * silently drop the message.
 */
export class Publisher {
  private closed = false;

  constructor(
    private readonly nc: NatsConnection,
    private readonly replies: ReplyInbox,
    private readonly connected: () => boolean,
  ) {}

  /**
   * Publishes a message and waits for the acknowledgement.
   *
   * @param options.timeoutMs after this the outcome is unknown. Default: 5,000
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

  /** Messages without an acknowledgement fail from now on with `'unknown'`. */
  close(): void {
    this.closed = true;
  }

  private silence(): PublishError {
    const message = this.closed ? 'closed before the acknowledgement' : 'no acknowledgement in time';
    return new PublishError(message, 'unknown', 0);
  }
}

function readAck(msg: Msg): PubAck | PublishError {
  if (isNoResponders(msg)) return new PublishError('no stream takes this subject now', false, NO_STREAM);
  try {
    const ack = msg.json<PubAck & { error?: { description: string; err_code: number } }>();
    return ack.error ? new PublishError(ack.error.description, false, ack.error.err_code) : ack;
  } catch {
    return new PublishError('unreadable acknowledgement', 'unknown', 0);
  }
}
