import { type DriveResult, expireLateAnswers, type Target } from './closed-loop';
import { Connection } from './connection';
import { metronome, type Pulse } from './metronome';
import { Tally } from './tally';

export interface OpenLoopOptions {
  /** Signals per second. */
  rate: number;
  durationMs: number;
  /** Requests under way at once, each on a connection of its own. */
  maxOutstanding?: number;
  pulse?: Pulse;
}

export interface OpenLoopResult extends DriveResult {
  /** Left more than 5 ms after their time: the driver or the machine was too slow. */
  late: number;
  /** Never left: as many as are allowed were outstanding, until the end. */
  unsent: number;
}

const LATE_MS = 5;
/** Time to start the metronome's thread in, before the first send. */
const LEAD_MS = 100;
/** What could not leave in its time still may, so long after the end. */
const BACKLOG_LIMIT_MS = 5_000;
/** The pulse may wake us this much early. */
const EARLY_MS = 0.05;

/**
 * A fixed rate, as independent callers send it: nobody waits for anybody else's answer. Latency counts from the
 * moment a signal was due, so what a stalled server keeps from being sent counts against it too.
 */
export class OpenLoop {
  readonly tally = new Tally();
  sent = 0;
  late = 0;
  /** When the first signal is due; set by `run`. */
  startMs = 0;
  private readonly total: number;
  private readonly maxOutstanding: number;
  private readonly connections: Connection[] = [];
  /** The one used last is used next: it is warm, and the others may grow old. */
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
    const { pulse = metronome, rate, durationMs } = this.options;
    this.startMs = performance.now() + LEAD_MS;
    const finished = new Promise<void>((resolve) => (this.finish = resolve));
    // Above 1000/s several leave at one beat: more beats would cost more than they tell.
    const stopPulse = pulse(this.startMs, Math.max(1, 1_000 / rate), () => this.sendDue());
    const stopWatching = expireLateAnswers(() => this.connections);
    const overdue = setTimeout(() => this.giveUpUnsent(), LEAD_MS + durationMs + BACKLOG_LIMIT_MS);
    await finished;
    clearTimeout(overdue);
    stopPulse();
    stopWatching();
    for (const connection of this.connections) connection.close();
    const unsent = this.total - this.sent;
    return {
      tally: this.tally,
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
      this.tally.add(performance.now() - dueMs, answer);
      this.idle.push(connection);
      this.sendDue(); // what had to wait for a connection goes at once
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
