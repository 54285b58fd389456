import { setTimeout as sleep } from 'node:timers/promises';
import { connect as dial, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import { namesFor, type Names } from '@tps/contracts';
import { Publisher } from './publisher';

export interface BusOptions {
  url: string;
  /** Shown in the broker's connection list. */
  name: string;
  streamPrefix?: string;
  onStatus?: (status: { type: string; detail?: string }) => void;
  /** Called when the connection ends for good without `close()`: the process cannot go on. */
  onLost?: (error: Error) => void;
}

/** One connection to NATS with what every service needs of it. */
export interface Bus {
  readonly nc: NatsConnection;
  readonly names: Names;
  /** Appends to streams and waits for the stream's acknowledgement. */
  readonly publisher: Publisher;
  /** False while the client reconnects: the client drops what is published then, so do not publish. */
  readonly connected: boolean;
  /** @returns a function that takes the listener off again */
  onReconnect(listener: () => void): () => void;
  close(): Promise<void>;
}

const RECONNECT_WAIT_MS = 250;
const CLOSE_LIMIT_MS = 3_000;

/** Dials until the broker answers; afterwards reconnects for ever. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const connection: ConnectionOptions = {
    servers: options.url.split(',').map((server) => server.trim()),
    name: options.name,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
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
  const nc = await dial(connection);
  return new NatsBus(nc, options);
}

class NatsBus implements Bus {
  readonly names: Names;
  readonly publisher: Publisher;
  connected = true;
  private closing = false;
  private readonly listeners = new Set<() => void>();

  constructor(
    readonly nc: NatsConnection,
    options: BusOptions,
  ) {
    this.names = namesFor(options.streamPrefix);
    this.publisher = new Publisher(nc, () => this.connected);
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

  onReconnect(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closing = true;
    this.publisher.close();
    // drain() rejects while disconnected and may wait for a broker that is gone: closing is what counts.
    await Promise.race([
      this.nc.drain().catch(() => undefined),
      sleep(CLOSE_LIMIT_MS, undefined, { ref: false }),
    ]);
    if (!this.nc.isClosed()) await this.nc.close();
  }
}

export class BusClosedError extends Error {
  constructor() {
    super('The connection to NATS was closed and will not be reopened.');
    this.name = 'BusClosedError';
  }
}
