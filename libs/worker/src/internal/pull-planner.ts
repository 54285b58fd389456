import type { Bus } from '@tps/bus';
import { type CircuitState, type Lane, laneName, parseLane, PRIORITIES, type Priority } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import { type Delivery, LaneReader, POLL_MS } from './lane-reader';
import type { LeaseTable } from './lease-table';
import type { Limits } from './limits';
import type { Prefetch } from './prefetch';
import type { QueueLife } from './queue-life';
import type { LevelSequence } from './sequence';

/** One decision of the level sequence: a signal of this lane comes next. */
export interface PlannedPull {
  readonly lane: string;
  readonly type: string;
  readonly place: number;
  readonly plannedMs: number;
  readonly expectedMs: number;
  /** Filled when the signal arrives. */
  delivered: Delivery | null;
}

export interface PullPlannerDeps {
  bus: Bus;
  life: QueueLife;
  table: LeaseTable;
  types: readonly string[];
  sequence: LevelSequence;
  prefetch: Prefetch;
  limits: Limits;
  lines: LineView;
  /** Signals of a type that were requested or are in flight. */
  claimed: (type: string) => number;
  /** False while outcomes cannot be written, so that no more signals are taken. */
  canRecord: () => boolean;
  onReady: () => void;
  /** A signal arrived that this worker cannot take now. */
  onSurplus: (delivered: Delivery) => void;
  /** A lane is gone, so the queue may be another one. */
  onLaneLost: () => void;
}

/** After this time, nothing that was requested before a stop can still come. */
export const STOP_LIMIT_MS = POLL_MS + 500;
const TICK_MS = 250;

/**
 * Decides which signals to take, and pulls them. Planned pulls follow the level sequence over the lanes that are known to
 * have work, as many as there is room for. Their signals are handed out strictly in the order of the sequence, in
 * whatever order the broker answers. While a slot is free, each lane that is believed to be empty gets a long poll. A
 * stopped type gets neither; a half-open one gets only the poll, for the signal that may be its trial.
 */
export class PullPlanner {
  private readonly lanes: readonly (Lane & { name: string })[];
  private readonly reader: LaneReader;
  private readonly timer: NodeJS.Timeout;
  private readonly offReconnect: () => void;
  private pulls: PlannedPull[] = [];
  private begun = false;
  private stopped = false;
  private planned = false;
  /** A lane was gone at the last request, and kanban is asked about it. */
  private laneLost = false;

  constructor(private readonly options: PullPlannerDeps) {
    this.lanes = options.types.flatMap((type) =>
      PRIORITIES.map((priority) => ({ type, priority, name: laneName(type, priority) })),
    );
    this.reader = new LaneReader(options.bus, options.life, options.table, {
      onMessage: (delivered) => this.receive(delivered),
      onMissing: (lane, count) => this.forget(lane, count),
      onLost: () => this.loseLane(),
    });
    for (const { name } of this.lanes) this.reader.add(name);
    this.offReconnect = options.bus.onReconnect(() => this.reader.reset());
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  begin(): void {
    this.begun = true;
    this.plan();
  }

  /** Lanes that were gone are there again. @param lost in another queue; requests to the lost one get no answer */
  onQueueKnown(lost: boolean): void {
    if (lost || this.laneLost) this.reader.reset();
    this.laneLost = false;
    this.plan();
  }

  /** The next signal in the order of the sequence, if it has arrived; none after a stop. */
  take(): (PlannedPull & { delivered: Delivery }) | null {
    const first = this.pulls[0];
    if (this.stopped || !first?.delivered) return null;
    this.pulls.shift();
    this.options.prefetch.dequeue(first.expectedMs);
    return first as PlannedPull & { delivered: Delivery };
  }

  /** Takes out the signals that have arrived and not started, if their type is unwanted. */
  takeBack(unwanted: (type: string) => boolean): Delivery[] {
    const out = this.pulls.filter((pull) => pull.delivered && unwanted(pull.type));
    this.drop(out);
    return out.map(({ delivered }) => delivered as Delivery);
  }

  /** Takes out one signal that has not started. */
  takeBackSignal(match: (delivered: Delivery) => boolean): Delivery | null {
    const pull = this.pulls.find(({ delivered }) => delivered && match(delivered));
    if (!pull) return null;
    this.drop([pull]);
    return pull.delivered;
  }

  has(match: (delivered: Delivery) => boolean): boolean {
    return this.pulls.some(({ delivered }) => delivered !== null && match(delivered));
  }

  /** Signals of a type that were requested or have arrived, and have not started. */
  count(type: string): number {
    let count = 0;
    for (const pull of this.pulls) if (pull.type === type) count += 1;
    return count;
  }

  /** Signals that have arrived and not started. */
  arrived(): Delivery[] {
    return this.pulls.flatMap(({ delivered }) => delivered ?? []);
  }

  state(type: string): CircuitState {
    return this.options.lines.state(type);
  }

  /** Plans at the end of this turn of the event loop, once for everything that happens in it. */
  plan(): void {
    if (this.planned || this.stopped || !this.begun) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      this.planNow();
    });
  }

  /** Requests nothing more. */
  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    this.offReconnect();
  }

  /** Nothing that was requested can still come. */
  get quiet(): boolean {
    return this.reader.quiet;
  }

  close(): void {
    this.reader.close();
  }

  private loseLane(): void {
    if (this.laneLost) return;
    this.laneLost = true;
    this.options.onLaneLost();
  }

  private tick(): void {
    const now = Date.now();
    this.reader.sweep(now);
    this.options.limits.tick(now);
    this.plan();
  }

  private planNow(): void {
    const { bus, canRecord } = this.options;
    if (this.stopped || !bus.connected || !canRecord()) return;
    this.pullPlanned();
    const { prefetch } = this.options;
    const { freeSlots } = prefetch;
    if (freeSlots === 0) return;
    const now = Date.now();
    for (const lane of this.lanes) {
      const state = this.state(lane.type);
      // Nothing is planned for a half-open type, so only the poll reaches its backlog. While a trial runs, another
      // signal would only go back.
      if (state === 'HalfOpen' && this.trialRuns(lane.type, now)) continue;
      const free = this.freeFor(lane.type, now);
      if (free <= 0 || state === 'Open') continue;
      // Polled signals must find a slot when they come, so slow work is polled one by one. A limited type is polled
      // one by one, too, so that no worker takes more than it needs.
      const unlimited = free === Infinity && state === 'Closed';
      const atMost = unlimited ? Math.min(freeSlots - this.reader.polled, prefetch.batchLimit(lane.type)) : 1;
      this.reader.poll(lane.name, now, { atMost, known: state === 'HalfOpen' });
    }
  }

  /** How many more signals of a type may be taken: by its cards and rate, and by the ramp of a line that runs again. */
  private freeFor(type: string, nowMs: number): number {
    const { limits, lines, claimed } = this.options;
    const ramp = lines.rampLimit(type, nowMs);
    const free = limits.free(type, nowMs);
    return ramp === Infinity ? free : Math.min(free, ramp - claimed(type));
  }

  /** A trial runs, and no other signal may take its place. */
  private trialRuns(type: string, nowMs: number): boolean {
    const trial = this.options.lines.circuit(type)?.trial;
    if (!trial?.worker_id || trial.failed_before) return false;
    return Date.parse(trial.deadline) > nowMs;
  }

  private pullPlanned(): void {
    const { sequence, prefetch, limits } = this.options;
    const now = Date.now();
    const left = new Map<string, number>();
    const available = this.available(left, now);
    const batches = new Map<string, number>();
    while (available.size > 0) {
      if (!prefetch.hasRoom()) break;
      const next = sequence.next(available);
      if (!next) break;
      const lane = parseLane(next.lane);
      const expectedMs = prefetch.enqueue(lane.type);
      this.pulls.push({ ...next, type: lane.type, plannedMs: now, expectedMs, delivered: null });
      limits.take(lane.type, now);
      batches.set(next.lane, (batches.get(next.lane) ?? 0) + 1);
      const rest = (left.get(next.lane) ?? 0) - 1;
      left.set(next.lane, rest);
      if (rest <= 0) exhaust(available, lane);
      if (this.freeFor(lane.type, now) <= 0) {
        for (const priority of PRIORITIES) exhaust(available, { type: lane.type, priority });
      }
    }
    for (const [lane, batch] of batches) this.reader.pull(lane, batch);
  }

  /**
   * Types with work to take, by priority; fills `left` with the depth of each lane. A busy worker has no open polls, so
   * it asks a lane that it has not heard of for a while when that lane's turn comes.
   */
  private available(left: Map<string, number>, nowMs: number): Map<Priority, string[]> {
    const available = new Map<Priority, string[]>();
    if (!this.options.prefetch.hasRoom()) return available;
    for (const { name, type, priority } of this.lanes) {
      const waiting = this.reader.waiting(name) || Number(this.reader.isStale(name, nowMs));
      if (waiting === 0 || this.state(type) !== 'Closed' || this.freeFor(type, nowMs) <= 0) continue;
      left.set(name, waiting);
      const types = available.get(priority);
      if (types) types.push(type);
      else available.set(priority, [type]);
    }
    return available;
  }

  private receive(delivered: Delivery): void {
    const { lane } = delivered;
    const pull = delivered.planned && this.pulls.find((open) => open.lane === lane && !open.delivered);
    if (pull) pull.delivered = delivered;
    else if (!this.accept(delivered)) {
      this.reader.countReleased(lane);
      return this.options.onSurplus(delivered);
    }
    this.options.onReady();
  }

  /** Takes a signal that came by a poll, if there is room: several idle lanes may have answered at once. */
  private accept(delivered: Delivery): boolean {
    const { sequence, prefetch, limits } = this.options;
    const { type } = parseLane(delivered.lane);
    const now = Date.now();
    if (this.stopped || this.state(type) === 'Open' || !prefetch.hasRoom()) return false;
    if (this.freeFor(type, now) <= 0) return false;
    const place = (sequence.place += 1);
    const expectedMs = prefetch.enqueue(type);
    this.pulls.push({ lane: delivered.lane, type, place, plannedMs: now, expectedMs, delivered });
    limits.take(type, now);
    return true;
  }

  private forget(lane: string, count: number): void {
    const unfilled = this.pulls.filter((pull) => pull.lane === lane && !pull.delivered);
    this.drop(unfilled.slice(-count));
    this.options.onReady();
  }

  private drop(pulls: readonly PlannedPull[]): void {
    if (pulls.length === 0) return;
    const gone = new Set(pulls);
    this.pulls = this.pulls.filter((pull) => !gone.has(pull));
    for (const { expectedMs, type } of pulls) {
      this.options.prefetch.dequeue(expectedMs);
      this.options.limits.refund(type);
    }
  }
}

function exhaust(available: Map<Priority, string[]>, { type, priority }: Lane): void {
  const rest = (available.get(priority) ?? []).filter((name) => name !== type);
  if (rest.length > 0) available.set(priority, rest);
  else available.delete(priority);
}
