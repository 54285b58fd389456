import { setTimeout as sleep } from 'node:timers/promises';
import {
  connect,
  type ConnectionOptions,
  createInbox,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from '@nats-io/transport-node';
import { type LostState, namesFor, type Names } from '@tps/contracts';
import { accessOptions, type BusAccess } from './access';
import { StateLosses } from './losses';
import { Publisher } from './publisher';
import { isNoResponders, ReplyInbox } from './reply-inbox';
import { retry } from './retry';

/** How to connect to NATS, and what to do when the connection changes. */
export interface BusOptions {
  /** Servers, separated by commas. */
  url: string;
  /** Shown in the broker's connection list. */
  name: string;
  access?: BusAccess;
  /** Names the inboxes of a user without a name, for example `gateway`. Default: `tps`. */
  owner?: string;
  /** Put before every subject, stream and bucket (`TPS_STREAM_PREFIX`). Default: none. */
  streamPrefix?: string;
  /** Called with every change of the connection, for the log. */
  onStatus?: (status: { type: string; detail?: string }) => void;
  /** Called when the connection ends for good without `close()`. The process cannot go on. */
  onLost?: (error: Error) => void;
  /** Called when the broker has lost a stream or bucket that this process follows. */
  onStateLost?: (loss: LostState) => void;
  /** Called when a stream has other copies than were asked for. */
  onCopies?: (change: CopiesChange) => void;
  /** Called with each unreadable reply. Its reader fails as if the service had not answered. */
  onUnreadable?: (error: Error) => void;
}

/** A stream that has other copies than `TPS_NATS_REPLICAS` asks for, and what came of it. */
export interface CopiesChange {
  stream: string;
  from: number;
  /** Below `from`: the stream keeps its copies, because fewer would put data at risk that a person meant to be safe. */
  to: number;
  /** Why the copies could not be raised, for example a missing right. */
  error?: unknown;
}

/** One connection to NATS, with the operations that every service needs. */
export interface Bus {
  readonly nc: NatsConnection;
  readonly names: Names;
  /**
   * Sends a request and waits for one reply. It costs a tenth of the client's own `request`, which matters on the path
   * of every signal.
   *
   * @throws NoReplyError
   */
  request(subject: string, data: string, options: { headers?: MsgHdrs; timeoutMs: number }): Promise<Msg>;
  /** Reports an unreadable reply. */
  unreadable(error: Error): void;
  /** Reports a stream that has other copies than were asked for. */
  copies(change: CopiesChange): void;
  /** Appends to streams and waits for their acknowledgement. */
  readonly publisher: Publisher;
  /** The streams and buckets that this process saw the broker lose. */
  readonly losses: StateLosses;
  /** When the connection was first made, in milliseconds since 1970. */
  readonly openedMs: number;
  /** False while the client reconnects. Do not publish then, because the client drops the message. */
  readonly connected: boolean;
  /** Creates a subject for replies, below the prefix that the broker lets this user read. */
  createInbox(): string;
  /** @returns a function that removes the listener */
  onReconnect(listener: () => void): () => void;
  /**
   * Pauses before another try, and ends the pause early when the connection comes back. Otherwise everything would
   * stay at the cap of its backoff after a long outage.
   */
  sleepUntilReconnect(ms: number): Promise<void>;
  close(): Promise<void>;
}

const RECONNECT_WAIT_MS = 250;
const CONNECT_BACKOFF = { firstMs: 250, capMs: 2_000 };
const CLOSE_LIMIT_MS = 3_000;

/** Connects, for as long as it takes until the broker answers, and reconnects for ever after that. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const connection: ConnectionOptions = {
    ...accessOptions(options.url, options.access ?? {}, options.owner ?? 'tps'),
    name: options.name,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_WAIT_MS,
    // By default a broker that hangs is noticed after minutes; with these values, after at most three intervals.
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 5_000,
    // Stack traces per request cost more than the request.
    noAsyncTraces: true,
  };
  const nc = await firstConnect(connection, options.onStatus);
  return new NatsBus(nc, connection.inboxPrefix, options);
}

/** The client could wait by itself, but would not say why. A wrong password must not look like a broker that starts. */
function firstConnect(
  connection: ConnectionOptions,
  onStatus: BusOptions['onStatus'],
): Promise<NatsConnection> {
  let logged = '';
  const onRetry = (error: unknown): void => {
    const detail = String(error);
    if (detail !== logged) onStatus?.({ type: 'cannot connect', detail });
    logged = detail;
  };
  return retry(() => connect(connection), { backoff: CONNECT_BACKOFF, onRetry });
}

class NatsBus implements Bus {
  readonly names: Names;
  readonly publisher: Publisher;
  readonly losses: StateLosses;
  readonly openedMs = Date.now();
  connected = true;
  private closing = false;
  private readonly replies: ReplyInbox;
  private readonly listeners = new Set<() => void>();
  readonly unreadable: Bus['unreadable'];
  readonly copies: Bus['copies'];

  constructor(
    readonly nc: NatsConnection,
    private readonly inboxPrefix: string | undefined,
    options: BusOptions,
  ) {
    this.names = namesFor(options.streamPrefix);
    this.replies = new ReplyInbox(nc, this.createInbox());
    this.publisher = new Publisher(nc, this.replies, () => this.connected);
    this.losses = new StateLosses(options.onStateLost);
    this.unreadable = (error) => options.onUnreadable?.(error);
    this.copies = (change) => options.onCopies?.(change);
    void this.watch(options);
    void nc.closed().then((error) => {
      this.connected = false;
      if (!this.closing) options.onLost?.(error instanceof Error ? error : new BusClosedError());
    });
  }

  private async watch(options: BusOptions): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === 'disconnect') this.connected = false;
      if (status.type === 'reconnect') {
        this.connected = true;
        for (const listener of this.listeners) listener();
      }
      if (status.type === 'ping') continue;
      const detail =
        'error' in status ? String(status.error) : 'server' in status ? status.server : undefined;
      options.onStatus?.(detail === undefined ? { type: status.type } : { type: status.type, detail });
    }
  }

  request(
    subject: string,
    data: string,
    { headers, timeoutMs }: { headers?: MsgHdrs; timeoutMs: number },
  ): Promise<Msg> {
    return new Promise((resolve, reject) => {
      const reply = this.replies.expect(timeoutMs, (msg) => {
        if (!msg) reject(new NoReplyError(`no reply on ${subject} in time`, false));
        else if (isNoResponders(msg)) reject(new NoReplyError(`nothing listens on ${subject}`, true));
        else resolve(msg);
      });
      try {
        this.nc.publish(subject, data, headers ? { reply, headers } : { reply });
      } catch (error) {
        this.replies.forget(reply);
        reject(new NoReplyError(`not sent on ${subject}: ${String(error)}`, true));
      }
    });
  }

  createInbox(): string {
    return createInbox(this.inboxPrefix);
  }

  onReconnect(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  sleepUntilReconnect(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        removeListener();
        resolve();
      };
      const removeListener = this.onReconnect(wake);
      const timer = setTimeout(wake, ms).unref();
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    this.publisher.close();
    this.replies.close();
    // drain() rejects while disconnected, and may wait for a broker that is gone. The limit makes sure that we close.
    await Promise.race([
      this.nc.drain().catch(() => undefined),
      sleep(CLOSE_LIMIT_MS, undefined, { ref: false }),
    ]);
    if (!this.nc.isClosed()) await this.nc.close();
  }
}

/** A request got no reply in time, or was not delivered. */
export class NoReplyError extends Error {
  override readonly name = 'NoReplyError';
  constructor(
    message: string,
    /** The request certainly did not arrive: nothing listens there, or it was not sent. Otherwise it may have arrived. */
    readonly undelivered: boolean,
  ) {
    super(message);
  }
}

/** The connection ended for good without `close()`. */
class BusClosedError extends Error {
  constructor() {
    super('The connection to NATS was closed and will not be reopened.');
    this.name = 'BusClosedError';
  }
}
