import { type Bus, managerOf } from '@tps/bus';
import { type Lane, laneName, parseLane } from '@tps/contracts';

/** A lane in the stream's books. */
export interface LaneCounts extends Lane {
  waiting: number;
  in_progress: number;
}

const FRESH_MS = 20;
const IDLE_REFRESH_MS = 5_000;

/**
 * What the queue holds. The stream's own books are read once a second while there is work, and before anything is
 * refused; in between, what this process appended is added. So the figure errs on the high side, and a refusal is
 * always based on a look at the stream.
 */
export class Queue {
  lanes: Record<string, LaneCounts> = {};
  /** Messages that no lane counts: work that no pull would ever get. */
  stranded = 0;
  firstSeq = 0;
  /** Per lane: every message up to this sequence was acknowledged. */
  ackFloors = new Map<string, number>();
  private messages = 0;
  private added = 0;
  private readonly addedOfType = new Map<string, number>();
  private readAtMs = 0;
  private reading: Promise<void> | null = null;

  constructor(private readonly bus: Bus) {}

  /** Accepted and unfinished. */
  get depth(): number {
    return this.messages + this.added;
  }

  depthOf(type: string): number {
    let depth = this.addedOfType.get(type) ?? 0;
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

  add(type: string): void {
    this.added += 1;
    this.addedOfType.set(type, (this.addedOfType.get(type) ?? 0) + 1);
  }

  /** Reads the stream's books, unless that was done a moment ago. */
  async refresh(): Promise<void> {
    if (Date.now() - this.readAtMs < FRESH_MS) return;
    await (this.reading ??= this.read().finally(() => (this.reading = null)));
  }

  /** For a timer: reads when there is work, and now and then when there is none. */
  async refreshIfBusy(): Promise<void> {
    if (this.depth > 0 || Date.now() - this.readAtMs > IDLE_REFRESH_MS) await this.refresh();
  }

  private async read(): Promise<void> {
    // What is appended from here on may or may not be in the books that come: it is counted on top.
    const addedBefore = this.added;
    const ofTypeBefore = new Map(this.addedOfType);
    const jsm = await managerOf(this.bus);
    const stream = this.bus.names.streams.kanban;
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
    const { state } = await jsm.streams.info(stream);
    this.lanes = lanes;
    this.ackFloors = ackFloors;
    this.messages = state.messages;
    this.firstSeq = state.first_seq;
    this.stranded = this.added === addedBefore ? Math.max(0, state.messages - booked) : this.stranded;
    this.added -= addedBefore;
    for (const [type, count] of ofTypeBefore) {
      const left = (this.addedOfType.get(type) ?? 0) - count;
      if (left > 0) this.addedOfType.set(type, left);
      else this.addedOfType.delete(type);
    }
    this.readAtMs = Date.now();
  }
}
