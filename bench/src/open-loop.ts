import { AnswerCounts } from './answer-counts';
import { type DriveResult, expireLateAnswers, type Target } from './closed-loop';
import { Connection } from './connection';
import { startExactInterval, type StartInterval } from './interval-timer';

export interface OpenLoopOptions {
  /** Signals per second. */
  rate: number;
  durationMs: number;
  /** The most requests at once, each on a connection of its own. Default: 1,000. */
  maxOutstanding?: number;
  /** Replaces the exact interval in tests. */
  startInterval?: StartInterval;
}

export interface OpenLoopResult extends DriveResult {
  /** Signals sent more than 5 ms after their time, because the driver or the machine was too slow. */
  late: number;
  /** Signals that were never sent, because too many were outstanding until the end. */
  unsent: number;
}

const LATE_MS = 5;
/** Time in which the thread of the interval starts, before the first send. */
const LEAD_MS = 100;
/** Time after the end in which delayed signals may still be sent. */
const BACKLOG_LIMIT_MS = 5_000;
/** The interval may tick this much early. */
const EARLY_MS = 0.05;

/**
 * Sends at a fixed rate, like independent callers who do not wait for each other's answers. Latency counts from the
 * moment a signal was due, so a stalled server is charged for the signals that it kept from being sent.
 */
export class OpenLoop {
  readonly counts = new AnswerCounts();
  sent = 0;
  late = 0;
  /** When the first signal is due; set by `run`. */
  startMs = 0;
  private readonly total: number;
  private readonly maxOutstanding: number;
  private readonly connections: Connection[] = [];
  /** A stack: the connection used last is warm, and the others may become stale. */
  private readonly idle: Connection[] = [];
  private gaveUp = false;
  private finish: () => void = () => undefined;

  constructor(
    private readonly target: Target,
    private readonly options: OpenLoopOptions,
  ) {
    this.total = Math.round((options.rate * options.durationMs) / 1_000);
    this.maxOutstanding = options.maxOutstanding ?? 1_000;
  }

  get outstanding(): number {
    return this.connections.length - this.idle.length;
  }

  async run(): Promise<OpenLoopResult> {
    const { startInterval = startExactInterval, rate, durationMs } = this.options;
    this.startMs = performance.now() + LEAD_MS;
    const finished = new Promise<void>((resolve) => (this.finish = resolve));
    // Above 1000/s each tick sends several signals: more ticks would cost more than they gain.
    const stopInterval = startInterval(this.startMs, Math.max(1, 1_000 / rate), () => this.sendDue());
    const stopExpiry = expireLateAnswers(() => this.connections);
    const overdue = setTimeout(() => this.giveUpUnsent(), LEAD_MS + durationMs + BACKLOG_LIMIT_MS);
    await finished;
    clearTimeout(overdue);
    stopInterval();
    stopExpiry();
    for (const connection of this.connections) connection.close();
    const unsent = this.total - this.sent;
    return {
      counts: this.counts,
      sent: this.sent,
      late: this.late,
      unsent,
      elapsedMs: performance.now() - this.startMs,
    };
  }

  private sendDue(): void {
    const nowMs = performance.now();
    while (this.sent < this.limit && this.dueMs(this.sent) <= nowMs + EARLY_MS) {
      const connection = this.free();
      if (!connection) return;
      this.send(connection, nowMs);
    }
  }

  private send(connection: Connection, nowMs: number): void {
    const dueMs = this.dueMs(this.sent);
    if (nowMs - dueMs > LATE_MS) this.late += 1;
    const request = this.target.request(this.sent);
    this.sent += 1;
    connection.send(request, (answer) => {
      this.counts.add(performance.now() - dueMs, answer);
      this.idle.push(connection);
      this.sendDue(); // signals that waited for a connection
      this.finishIfDone();
    });
  }

  private free(): Connection | undefined {
    const idle = this.idle.pop();
    if (idle || this.connections.length >= this.maxOutstanding) return idle;
    const connection = new Connection(this.target.port);
    this.connections.push(connection);
    return connection;
  }

  private dueMs(index: number): number {
    return this.startMs + (index * 1_000) / this.options.rate;
  }

  private get limit(): number {
    return this.gaveUp ? this.sent : this.total;
  }

  private giveUpUnsent(): void {
    this.gaveUp = true;
    this.finishIfDone();
  }

  private finishIfDone(): void {
    if (this.sent === this.limit && this.outstanding === 0) this.finish();
  }
}
