import { setTimeout as sleep } from 'node:timers/promises';
import {
  connect as dial,
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

export interface BusOptions {
  /** Servers, separated by commas. */
  url: string;
  /** Shown in the broker's connection list. */
  name: string;
  access?: BusAccess;
  /** Whose inboxes these are where no user name says so, such as `gateway`. */
  owner?: string;
  streamPrefix?: string;
  onStatus?: (status: { type: string; detail?: string }) => void;
  /** Called when the connection ends for good without `close()`: the process cannot go on. */
  onLost?: (error: Error) => void;
  /** Called when the broker turns out to have lost a stream or bucket that this process follows. */
  onStateLost?: (loss: LostState) => void;
  /** Called with each reply that cannot be read. Its reader fails as if the service had not answered. */
  onUnreadable?: (error: Error) => void;
}

/** One connection to NATS with what every service needs of it. */
export interface Bus {
  readonly nc: NatsConnection;
  readonly names: Names;
  /**
   * Asks a service, at a tenth of what the client's own request costs; for what is asked for every signal.
   * @throws NoReplyError
   */
  request(subject: string, data: string, options: { headers?: MsgHdrs; timeoutMs: number }): Promise<Msg>;
  /** Reports a reply that cannot be read. */
  unreadable(error: Error): void;
  /** Appends to streams and waits for the stream's acknowledgement. */
  readonly publisher: Publisher;
  /** What the broker lost of what this process follows. */
  readonly losses: StateLosses;
  /** When the connection was made first. */
  readonly openedMs: number;
  /** False while the client reconnects: the client drops what is published then, so do not publish. */
  readonly connected: boolean;
  /** A subject of its own for answers, below the prefix that the broker lets this user read. */
  createInbox(): string;
  /** @returns a function that takes the listener off again */
  onReconnect(listener: () => void): () => void;
  /**
   * Waits before another try: so many milliseconds, or until the connection is back if that is sooner. After a long
   * outage everybody would go on waiting otherwise, each at the cap of its retries.
   */
  sleepUntilReconnect(ms: number): Promise<void>;
  close(): Promise<void>;
}

const RECONNECT_WAIT_MS = 250;
const FIRST_WAIT_MS = 250;
const FIRST_WAIT_CAP_MS = 2_000;
const CLOSE_LIMIT_MS = 3_000;

/** Dials until the broker answers; afterwards reconnects for ever. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const connection: ConnectionOptions = {
    ...accessOptions(options.url, options.access ?? {}, options.owner ?? 'tps'),
    name: options.name,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_WAIT_MS,
    // The defaults need minutes to notice a broker that hangs; this takes at most three intervals.
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 5_000,
    // Stack traces per request cost more than the request.
    noAsyncTraces: true,
  };
  const nc = await firstDial(connection, options.onStatus);
  return new NatsBus(nc, connection.inboxPrefix, options);
}

/** The client could wait by itself, but would not say why: a wrong password must not look like a broker that starts. */
async function firstDial(
  connection: ConnectionOptions,
  onStatus: BusOptions['onStatus'],
): Promise<NatsConnection> {
  let said = '';
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, FIRST_WAIT_CAP_MS)) {
    try {
      return await dial(connection);
    } catch (error) {
      const detail = String(error);
      if (detail !== said) onStatus?.({ type: 'cannot connect', detail });
      said = detail;
      await sleep(waitMs * (0.5 + Math.random() / 2));
    }
  }
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
        else if (isNoResponders(msg)) reject(new NoReplyError(`nobody listens on ${subject}`, true));
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
      const over = (): void => {
        clearTimeout(timer);
        off();
        resolve();
      };
      const off = this.onReconnect(over);
      const timer = setTimeout(over, ms).unref();
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    this.publisher.close();
    this.replies.close();
    // drain() rejects while disconnected and may wait for a broker that is gone: closing is what counts.
    await Promise.race([
      this.nc.drain().catch(() => undefined),
      sleep(CLOSE_LIMIT_MS, undefined, { ref: false }),
    ]);
    if (!this.nc.isClosed()) await this.nc.close();
  }
}

/** A request got no reply. */
export class NoReplyError extends Error {
  override readonly name = 'NoReplyError';
  constructor(
    message: string,
    /** Nobody got it: nobody listens there, or it could not be sent. Otherwise it may have arrived. */
    readonly undelivered: boolean,
  ) {
    super(message);
  }
}

export class BusClosedError extends Error {
  constructor() {
    super('The connection to NATS was closed and will not be reopened.');
    this.name = 'BusClosedError';
  }
}
