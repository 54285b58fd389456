import { type Bus, isMissingStream, LogLife, managerOf } from '@tps/bus';
import { type Lane, laneName, parseLane } from '@tps/contracts';
import type { Acceptance } from './acceptance';

/** A lane in the stream's books. */
export interface LaneCounts extends Lane {
  waiting: number;
  in_progress: number;
}

/** Appends of this process since a look at the stream began. */
export interface Appends {
  total: number;
  readonly ofType: Map<string, number>;
}

const FRESH_MS = 20;
/** So that a queue that is gone is noticed within five seconds also when nobody asks for anything. */
const IDLE_REFRESH_MS = 2_000;
const LOOK_LIMIT = { timeout: 1_500 };

/**
 * What the queue holds. The stream's own books are read once a second while there is work, and before anything is
 * refused; in between, what this process appended is added. So the figure errs on the high side, and a refusal is
 * always based on a look at the stream.
 */
export class QueueStats {
  lanes: Record<string, LaneCounts> = {};
  /** Messages that no lane counts: work that no pull would ever get. */
  orphans = 0;
  firstSeq = 0;
  /** Per lane: every message up to this sequence was acknowledged. */
  ackFloors = new Map<string, number>();
  private messages = 0;
  private lastSeq = 0;
  private readonly life = new LogLife();
  /** What the books do not have for sure; a look begins another group, and ends those before it. */
  private appends: Appends[] = [none()];
  private readAtMs = 0;
  private reading: Promise<void> | null = null;

  /** @param onReplaced called when the stream is another one than before: sequences of the old one mean nothing in it */
  constructor(
    private readonly bus: Bus,
    private readonly acceptance: Acceptance,
    private readonly onReplaced: () => void,
  ) {}

  /** Accepted and unfinished. */
  get depth(): number {
    return this.appends.reduce((sum, { total }) => sum + total, this.messages);
  }

  /** Creation time of the stream, as of the last look. */
  get created(): string | undefined {
    return this.life.created;
  }

  depthOf(type: string): number {
    let depth = 0;
    for (const { ofType } of this.appends) depth += ofType.get(type) ?? 0;
    for (const lane of Object.values(this.lanes)) {
      if (lane.type === type) depth += lane.waiting + lane.in_progress;
    }
    return depth;
  }

  /** As of the last reading of the books. */
  countsOf(type: string): { waiting: number; in_progress: number } {
    const counts = { waiting: 0, in_progress: 0 };
    for (const lane of Object.values(this.lanes)) {
      if (lane.type !== type) continue;
      counts.waiting += lane.waiting;
      counts.in_progress += lane.in_progress;
    }
    return counts;
  }

  waiting(): Record<string, number> {
    const waiting: Record<string, number> = {};
    for (const [name, lane] of Object.entries(this.lanes)) if (lane.waiting > 0) waiting[name] = lane.waiting;
    return waiting;
  }

  /** Counts an append before it is sent. @returns what `withdraw` takes should the stream refuse it */
  count(type: string): Appends {
    const appends = this.appends.at(-1)!;
    appends.total += 1;
    appends.ofType.set(type, (appends.ofType.get(type) ?? 0) + 1);
    return appends;
  }

  /** The stream surely did not take this append. */
  uncount(type: string, appends: Appends): void {
    appends.total -= 1;
    appends.ofType.set(type, (appends.ofType.get(type) ?? 1) - 1);
  }

  /** Reads the stream's books, unless that was done a moment ago. */
  async refresh(): Promise<void> {
    if (Date.now() - this.readAtMs < FRESH_MS) return;
    await (this.reading ??= this.read());
  }

  /** Reads the stream's books as they are now. */
  async refreshNow(): Promise<void> {
    await this.reading?.catch(() => undefined);
    await (this.reading ??= this.read());
  }

  /** For a timer: reads when there is work, and now and then when there is none. */
  async refreshIfBusy(): Promise<void> {
    if (this.depth > 0 || Date.now() - this.readAtMs > IDLE_REFRESH_MS) await this.refresh();
  }

  private async read(): Promise<void> {
    const stream = this.bus.names.streams.kanban;
    try {
      await this.readCounts(stream);
      this.acceptance.onStreamRead();
    } catch (error) {
      // What was counted since then goes on counting; an empty group need not stay.
      if (this.appends.length > 1 && this.appends.at(-1)?.total === 0) this.appends.pop();
      this.acceptance.onStreamUnavailable(
        `the stream ${stream} ${isMissingStream(error) ? 'is missing' : 'does not answer'}`,
      );
      throw error;
    } finally {
      this.reading = null;
    }
  }

  private async readCounts(stream: string): Promise<void> {
    // What is appended from here on may or may not be in the books that come: it is counted on top.
    const appends = none();
    this.appends.push(appends);
    const jsm = await managerOf(this.bus, LOOK_LIMIT);
    const lanes: Record<string, LaneCounts> = {};
    const ackFloors = new Map<string, number>();
    let booked = 0;
    for await (const { name, num_pending, num_ack_pending, ack_floor } of jsm.consumers.list(stream)) {
      ackFloors.set(name, ack_floor.stream_seq);
      const { type, priority } = parseLane(name);
      lanes[laneName(type, priority)] = {
        type,
        priority,
        waiting: num_pending,
        in_progress: num_ack_pending,
      };
      booked += num_pending + num_ack_pending;
    }
    const { state, created } = await jsm.streams.info(stream);
    this.checkForLoss({ created, lastSeq: state.last_seq });
    this.lanes = lanes;
    this.ackFloors = ackFloors;
    this.messages = state.messages;
    this.firstSeq = state.first_seq;
    if (appends.total === 0) this.orphans = Math.max(0, state.messages - booked);
    this.appends = this.appends.slice(this.appends.indexOf(appends));
    this.readAtMs = Date.now();
  }

  /** Notices that the broker lost the queue, and with it everything that was accepted and unfinished. */
  private checkForLoss(log: { created: string; lastSeq: number }): void {
    const isReplaced = this.life.isReplaced(log, this.lastSeq);
    const life = this.life.begin(log);
    this.lastSeq = log.lastSeq;
    if (!isReplaced) return;
    this.acceptance.onStreamReplaced();
    this.bus.losses.add({ name: this.bus.names.streams.kanban, life, entries: this.depth });
    this.onReplaced();
  }
}

function none(): Appends {
  return { total: 0, ofType: new Map() };
}
