import { type Bus, isMissingStream, LogLife, managerOf } from '@tps/bus';
import { type Lane, laneName, parseLane } from '@tps/contracts';
import type { Acceptance } from './acceptance';
import type { DeadlineIndex } from './deadline-index';
import type { RoomForecast } from './room-forecast';

/** The signals of one lane, as the stream counts them. */
export interface LaneCounts extends Lane {
  waiting: number;
  in_progress: number;
}

/** Appends of this process since a reading of the stream began. */
export interface Appends {
  total: number;
  readonly ofType: Map<string, number>;
}

export interface QueueStatsDeps {
  acceptance: Acceptance;
  forecast: RoomForecast;
  deadlines: DeadlineIndex;
}

const FRESH_MS = 20;
/** An idle queue is read this often, so that a lost stream is noticed within five seconds. */
const IDLE_REFRESH_MS = 2_000;
const READ_LIMIT = { timeout: 1_500 };

/**
 * Counts the signals in the queue. The counts of the stream are read once a second while there is work, and before any
 * signal is refused. In between, the appends of this process are added. The figures therefore err on the high side, and
 * every refusal is based on a fresh reading.
 */
export class QueueStats {
  lanes: Record<string, LaneCounts> = {};
  /** Messages that no lane counts, so that no pull delivers them. */
  orphans = 0;
  firstSeq = 0;
  /** By lane: every message up to this sequence is acknowledged. */
  ackFloors = new Map<string, number>();
  /** By lane: every message up to this sequence was delivered at least once. */
  delivered = new Map<string, number>();
  private messages = 0;
  private lastSeq = 0;
  private readonly life = new LogLife();
  /** Appends that the last reading may not include. A reading begins a new group and drops the earlier ones. */
  private appends: Appends[] = [none()];
  private readAtMs = 0;
  private reading: Promise<void> | null = null;

  constructor(
    private readonly bus: Bus,
    private readonly deps: QueueStatsDeps,
  ) {}

  /** Accepted, unfinished signals. */
  get depth(): number {
    return this.appends.reduce((sum, { total }) => sum + total, this.messages);
  }

  /** Creation time of the stream, as of the last reading. */
  get created(): string | undefined {
    return this.life.created;
  }

  /** Accepted, unfinished signals of a type. */
  depthOf(type: string): number {
    let depth = 0;
    for (const { ofType } of this.appends) depth += ofType.get(type) ?? 0;
    for (const lane of Object.values(this.lanes)) {
      if (lane.type === type) depth += lane.waiting + lane.in_progress;
    }
    return depth;
  }

  /** The counts of a type over all its lanes, as of the last reading. */
  countsOf(type: string): { waiting: number; in_progress: number } {
    const counts = { waiting: 0, in_progress: 0 };
    for (const lane of Object.values(this.lanes)) {
      if (lane.type !== type) continue;
      counts.waiting += lane.waiting;
      counts.in_progress += lane.in_progress;
    }
    return counts;
  }

  /** Whether a worker was sent this message of a lane, as of the last reading. */
  wasDelivered(lane: string, seq: number): boolean {
    return seq <= (this.delivered.get(lane) ?? 0);
  }

  /** Waiting signals by lane, as of the last reading; without empty lanes. */
  waiting(): Record<string, number> {
    const waiting: Record<string, number> = {};
    for (const [name, lane] of Object.entries(this.lanes)) if (lane.waiting > 0) waiting[name] = lane.waiting;
    return waiting;
  }

  /** Counts an append before it is sent. @returns the group, for `uncount` */
  count(type: string): Appends {
    const appends = this.appends.at(-1)!;
    appends.total += 1;
    appends.ofType.set(type, (appends.ofType.get(type) ?? 0) + 1);
    return appends;
  }

  /** Takes back the count of an append that the stream certainly did not take. */
  uncount(type: string, appends: Appends): void {
    appends.total -= 1;
    appends.ofType.set(type, (appends.ofType.get(type) ?? 1) - 1);
  }

  /** Reads the counts of the stream, unless they are at most 20 ms old. */
  async refresh(): Promise<void> {
    if (Date.now() - this.readAtMs < FRESH_MS) return;
    await (this.reading ??= this.read());
  }

  /** Reads the counts of the stream as they are now. */
  async refreshNow(): Promise<void> {
    await this.reading?.catch(() => undefined);
    await (this.reading ??= this.read());
  }

  /** Called every second: reads the counts while there is work, and every two seconds while there is none. */
  async tick(): Promise<void> {
    if (this.depth > 0 || Date.now() - this.readAtMs > IDLE_REFRESH_MS) await this.refresh();
  }

  private async read(): Promise<void> {
    const stream = this.bus.names.streams.kanban;
    try {
      await this.readCounts(stream);
      this.deps.acceptance.onStreamRead();
    } catch (error) {
      // Appends since then still count. An empty group need not stay.
      if (this.appends.length > 1 && this.appends.at(-1)?.total === 0) this.appends.pop();
      this.deps.acceptance.onStreamUnavailable(
        `the stream ${stream} ${isMissingStream(error) ? 'is missing' : 'does not answer'}`,
      );
      throw error;
    } finally {
      this.reading = null;
    }
  }

  private async readCounts(stream: string): Promise<void> {
    // The reading may or may not include appends from here on, so they are counted on top.
    const appends = none();
    this.appends.push(appends);
    const jsm = await managerOf(this.bus, READ_LIMIT);
    const lanes: Record<string, LaneCounts> = {};
    const ackFloors = new Map<string, number>();
    const delivered = new Map<string, number>();
    let counted = 0;
    for await (const { name, num_pending, num_ack_pending, ack_floor, delivered: last } of jsm.consumers.list(
      stream,
    )) {
      ackFloors.set(name, ack_floor.stream_seq);
      delivered.set(name, last.stream_seq);
      const { type, priority } = parseLane(name);
      lanes[laneName(type, priority)] = {
        type,
        priority,
        waiting: num_pending,
        in_progress: num_ack_pending,
      };
      counted += num_pending + num_ack_pending;
    }
    const { state, created } = await jsm.streams.info(stream);
    this.checkForLoss({ created, lastSeq: state.last_seq });
    this.lanes = lanes;
    this.ackFloors = ackFloors;
    this.delivered = delivered;
    this.messages = state.messages;
    this.firstSeq = state.first_seq;
    if (appends.total === 0) this.orphans = Math.max(0, state.messages - counted);
    this.appends = this.appends.slice(this.appends.indexOf(appends));
    this.readAtMs = Date.now();
    // Every message up to the last sequence is either in the stream or has left it.
    const removed = state.last_seq - state.messages;
    this.deps.forecast.observe({ atMs: this.readAtMs, removed, depth: state.messages });
  }

  /** Reports that the broker lost the queue, with all accepted, unfinished signals. */
  private checkForLoss(log: { created: string; lastSeq: number }): void {
    const isReplaced = this.life.isReplaced(log, this.lastSeq);
    const life = this.life.begin(log);
    this.lastSeq = log.lastSeq;
    if (!isReplaced) return;
    this.deps.acceptance.onStreamReplaced();
    this.bus.losses.add({ name: this.bus.names.streams.kanban, life, entries: this.depth });
    // Sequences of the old stream mean nothing now.
    this.deps.deadlines.clear();
  }
}

function none(): Appends {
  return { total: 0, ofType: new Map() };
}
