import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { accessOptions } from '@tps/bus/access';
import type { BlockedLoop, ReplyOf } from '@tps/contracts';
import type { LeaseTable } from './lease-table';
import type { MonitorNote, ProxySetup } from './monitor-messages';

const IN_PROGRESS = new TextEncoder().encode('+WPI');
/** The connection stays open for this long, because the next block may come soon. */
const IDLE_MS = 30_000;
const RENEWALS_PER_LEASE = 3;
const HEARTBEAT_MS = 1_000;
const RECONNECT_WAIT_MS = 250;

type HoldsReply = ReplyOf<'workerInFlight'>;
interface HoldsRequest {
  id?: string;
}

/**
 * Does in NATS what the main thread cannot do while a handler blocks it: renews the leases of all its signals, sends its
 * heartbeats, and answers which signals it has started. It has a connection of its own, which it opens at the first block
 * and closes `IDLE_MS` after the last one.
 *
 * It imports only the NATS client at run time: the modules of `@tps/bus` and `@tps/contracts` take five times as long to
 * load, which is too long for a short lease.
 */
export class MainThreadProxy {
  private nc: NatsConnection | undefined;
  private connecting: Promise<void> | undefined;
  private isActing = false;
  private actedMs = 0;
  private renewedMs = -Infinity;
  private heartbeatMs = -Infinity;

  constructor(
    private readonly table: LeaseTable,
    private readonly setup: ProxySetup,
    private readonly post: (note: MonitorNote) => void,
  ) {}

  /** Called regularly while the main thread stands still. */
  act(nowMs: number): void {
    this.isActing = true;
    this.actedMs = nowMs;
    this.connecting ??= this.connect();
    if (!this.nc || nowMs - this.renewedMs < this.table.leaseMs / RENEWALS_PER_LEASE) return;
    this.renewedMs = nowMs;
    for (const { ack } of this.unlessItTurned(() => this.table.signals()) ?? [])
      this.nc.publish(ack, IN_PROGRESS);
  }

  /** Sends the last heartbeat of the main thread once more, and that it is blocked. */
  sendHeartbeat(last: string, blocked: BlockedLoop, nowMs: number): void {
    if (!this.nc || nowMs - this.heartbeatMs < HEARTBEAT_MS) return;
    this.heartbeatMs = nowMs;
    const heartbeat = JSON.parse(last) as { vitals: object };
    const vitals = { ...heartbeat.vitals, blocked };
    const text = JSON.stringify({ ...heartbeat, at: new Date().toISOString(), vitals });
    this.nc.publish(this.setup.subjects.heartbeat, text);
  }

  /** Called regularly while the main thread turns, or while the thread must not speak for it. */
  rest(nowMs: number): void {
    this.isActing = false;
    this.renewedMs = -Infinity;
    const { nc } = this;
    if (!nc || nowMs - this.actedMs < IDLE_MS) return;
    this.nc = undefined;
    this.connecting = undefined;
    void nc.close();
  }

  private async connect(): Promise<void> {
    const { url, access, owner, name, subjects } = this.setup;
    const nc = await connect({
      ...accessOptions(url, access, owner),
      name,
      maxReconnectAttempts: -1,
      waitOnFirstConnect: true,
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_WAIT_MS,
      noAsyncTraces: true,
    });
    const answer = (answerTo: (request: HoldsRequest, data: Uint8Array) => HoldsReply) => ({
      callback: (_: Error | null, msg: Msg) => this.answer(msg, answerTo),
    });
    nc.subscribe(
      subjects.workerInFlight,
      answer((request) => this.holds(request)),
    );
    nc.subscribe(
      subjects.workerBlock,
      answer((request, data) => this.refuse(request, data)),
    );
    this.nc = nc;
  }

  private answer(msg: Msg, answerTo: (request: HoldsRequest, data: Uint8Array) => HoldsReply): void {
    if (!this.isActing) return;
    const request = requestIn(msg);
    const reply = request && this.unlessItTurned(() => answerTo(request, msg.data));
    if (reply) msg.respond(JSON.stringify(reply));
  }

  private holds({ id }: HoldsRequest): HoldsReply {
    const worker_id = this.setup.instance;
    const opened = this.table.signals().filter((signal) => signal.opened);
    if (id === undefined) {
      const { types: unread } = this.setup;
      return { worker_id, state: 'none', started: opened.map((signal) => signal.id), unread };
    }
    return { worker_id, state: this.stateOf(id) };
  }

  /**
   * Refuses a signal for the main thread, which reads the note before it opens another signal. It opens a signal first
   * and looks for notes then; this posts the note first and looks for the signal then. So one of them sees the other.
   */
  private refuse(request: HoldsRequest, data: Uint8Array): HoldsReply {
    if (request.id === undefined || this.stateOf(request.id) === 'started') return this.holds(request);
    this.post({ kind: 'refuse', request: data });
    return this.holds(request);
  }

  private stateOf(id: string): HoldsReply['state'] {
    const known = this.table.signals().find((signal) => signal.id === id);
    return known ? (known.opened ? 'started' : 'waiting') : 'none';
  }

  /** @returns null if the main thread turned meanwhile, because then it changes the table and speaks for itself */
  private unlessItTurned<T>(read: () => T): T | null {
    const { beats } = this.table;
    const result = read();
    return beats === this.table.beats ? result : null;
  }
}

/** @returns null if it is no such request; the main thread reads it, too, and reports what is wrong with it */
function requestIn(msg: Msg): HoldsRequest | null {
  try {
    const request = msg.data.length > 0 ? msg.json<unknown>() : {};
    if (typeof request !== 'object' || request === null) return null;
    const { id } = request as { id?: unknown };
    return id === undefined ? {} : typeof id === 'string' ? { id } : null;
  } catch {
    return null;
  }
}
