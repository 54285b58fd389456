import type { Bus } from '@tps/bus';
import { type CircuitState, type Lane, laneName, parseLane, PRIORITIES, type Priority } from '@tps/contracts';
import type { LineView } from '@tps/service';
import { type Delivered, LaneReader, POLL_MS } from './lanes';
import type { Limits } from './limits';
import type { Pace } from './pace';
import type { LevelSequence } from './sequence';

/** One decision of the level sequence: a signal of this lane comes next. */
export interface Pick {
  readonly lane: string;
  readonly type: string;
  readonly place: number;
  readonly pickedMs: number;
  readonly expectedMs: number;
  /** Filled when the signal arrives. */
  delivered: Delivered | null;
}

export interface IntakeOptions {
  bus: Bus;
  types: readonly string[];
  sequence: LevelSequence;
  pace: Pace;
  limits: Limits;
  lines: LineView;
  /** Signals of a type that were asked for or are held. */
  inHand: (type: string) => number;
  /** False while outcomes cannot be written: then nothing more may be taken. */
  mayTake: () => boolean;
  onReady: () => void;
  /** A signal arrived that this worker cannot take now. */
  onUnwanted: (delivered: Delivered) => void;
}

/** Resolves when the probe says so, or when the limit is over. */
export type Wait = (probe: () => boolean, limitMs: number) => Promise<void>;

const TICK_MS = 250;

/**
 * Decides what to take and takes it. Planned pulls follow the level sequence over the lanes known to hold work, as
 * many as there is room for; picks are handed out strictly in the order of the sequence, whatever order the broker
 * answers in. Lanes believed empty get a long poll each while a slot is free. A stopped type gets neither; a
 * half-open one gets only the poll, for the signal that may be its trial.
 */
export class Intake {
  private readonly lanes: readonly (Lane & { name: string })[];
  private readonly reader: LaneReader;
  private readonly timer: NodeJS.Timeout;
  private readonly offReconnect: () => void;
  private picks: Pick[] = [];
  private begun = false;
  private stopped = false;
  private planned = false;

  constructor(private readonly options: IntakeOptions) {
    this.lanes = options.types.flatMap((type) =>
      PRIORITIES.map((priority) => ({ type, priority, name: laneName(type, priority) })),
    );
    this.reader = new LaneReader(options.bus, {
      onMessage: (delivered) => this.receive(delivered),
      onMissing: (lane, count) => this.forget(lane, count),
    });
    for (const { name } of this.lanes) this.reader.add(name);
    this.offReconnect = options.bus.onReconnect(() => this.reader.reset());
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  begin(): void {
    this.begun = true;
    this.plan();
  }

  /** The next signal in the order of the sequence, if it has arrived. */
  take(): (Pick & { delivered: Delivered }) | null {
    const first = this.picks[0];
    if (!first?.delivered) return null;
    this.picks.shift();
    this.options.pace.dequeue(first.expectedMs);
    return first as Pick & { delivered: Delivered };
  }

  /** Takes out what has arrived and not started: of a type that stopped, or everything. */
  withdraw(unwanted: (type: string) => boolean): Delivered[] {
    const out = this.picks.filter((pick) => pick.delivered && unwanted(pick.type));
    this.drop(out);
    return out.map(({ delivered }) => delivered as Delivered);
  }

  /** Takes out one signal that has not started. */
  withdrawSignal(match: (delivered: Delivered) => boolean): Delivered | null {
    const pick = this.picks.find(({ delivered }) => delivered && match(delivered));
    if (!pick) return null;
    this.drop([pick]);
    return pick.delivered;
  }

  has(match: (delivered: Delivered) => boolean): boolean {
    return this.picks.some(({ delivered }) => delivered !== null && match(delivered));
  }

  /** Signals of a type that were asked for or came, and have not started. */
  count(type: string): number {
    let count = 0;
    for (const pick of this.picks) if (pick.type === type) count += 1;
    return count;
  }

  /** Signals in hand that have not started. */
  arrived(): Delivered[] {
    return this.picks.flatMap(({ delivered }) => delivered ?? []);
  }

  state(type: string): CircuitState {
    return this.options.lines.state(type);
  }

  /** Plans at the end of this turn of the event loop, once for all that happens in it. */
  plan(): void {
    if (this.planned || this.stopped || !this.begun) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      this.planNow();
    });
  }

  /** Asks for nothing more; resolves when nothing that was asked for can still come. */
  async stop(waitFor: Wait): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    this.offReconnect();
    await waitFor(() => this.reader.quiet, POLL_MS + 500);
  }

  close(): void {
    this.reader.close();
  }

  private tick(): void {
    const now = Date.now();
    this.reader.sweep(now);
    this.options.limits.tick(now);
    this.plan();
  }

  private planNow(): void {
    const { bus, mayTake } = this.options;
    if (this.stopped || !bus.connected || !mayTake()) return;
    this.pullPlanned();
    const { pace } = this.options;
    const { freeSlots } = pace;
    if (freeSlots === 0) return;
    const now = Date.now();
    for (const lane of this.lanes) {
      const state = this.state(lane.type);
      // Nothing is planned for a half-open type, so its backlog is reached by the poll alone; while a trial runs,
      // whatever else came would only go back.
      if (state === 'HalfOpen' && this.trialRuns(lane.type, now)) continue;
      const free = this.free(lane.type, now);
      if (free <= 0 || state === 'Open') continue;
      // What polls stand for must find a slot when it comes, of slow work one at a time; and of a limited type nobody
      // takes more than needed.
      const unlimited = free === Infinity && state === 'Closed';
      const atMost = unlimited ? Math.min(freeSlots - this.reader.polled, pace.ahead(lane.type)) : 1;
      this.reader.listen(lane.name, now, { atMost, known: state === 'HalfOpen' });
    }
  }

  /** How many more of a type may be taken: by its cards and rate, and by the ramp of a line that runs again. */
  private free(type: string, nowMs: number): number {
    const { limits, lines, inHand } = this.options;
    const ramp = lines.rampLimit(type, nowMs);
    const free = limits.free(type, nowMs);
    return ramp === Infinity ? free : Math.min(free, ramp - inHand(type));
  }

  private trialRuns(type: string, nowMs: number): boolean {
    const trial = this.options.lines.circuit(type)?.trial;
    return trial?.worker_id !== undefined && Date.parse(trial.deadline) > nowMs;
  }

  private pullPlanned(): void {
    const { sequence, pace, limits } = this.options;
    const now = Date.now();
    const left = new Map<string, number>();
    const available = this.available(left, now);
    const batches = new Map<string, number>();
    while (available.size > 0) {
      if (!pace.hasRoom()) break;
      const next = sequence.next(available);
      if (!next) break;
      const lane = parseLane(next.lane);
      const expectedMs = pace.enqueue(lane.type);
      this.picks.push({ ...next, type: lane.type, pickedMs: now, expectedMs, delivered: null });
      limits.take(lane.type, now);
      batches.set(next.lane, (batches.get(next.lane) ?? 0) + 1);
      const rest = (left.get(next.lane) ?? 0) - 1;
      left.set(next.lane, rest);
      if (rest <= 0) exhaust(available, lane);
      if (this.free(lane.type, now) <= 0) {
        for (const priority of PRIORITIES) exhaust(available, { type: lane.type, priority });
      }
    }
    for (const [lane, batch] of batches) this.reader.pull(lane, batch);
  }

  /**
   * Types with work to take, by priority; fills `left` with how much each lane holds. A worker that always has work
   * has no polls open: a lane that it has not heard of for a while is asked when its turn comes.
   */
  private available(left: Map<string, number>, nowMs: number): Map<Priority, string[]> {
    const available = new Map<Priority, string[]>();
    if (!this.options.pace.hasRoom()) return available;
    for (const { name, type, priority } of this.lanes) {
      const waiting = this.reader.waiting(name) || Number(this.reader.isStale(name, nowMs));
      if (waiting === 0 || this.state(type) !== 'Closed' || this.free(type, nowMs) <= 0) continue;
      left.set(name, waiting);
      const types = available.get(priority);
      if (types) types.push(type);
      else available.set(priority, [type]);
    }
    return available;
  }

  private receive(delivered: Delivered): void {
    const { lane } = delivered;
    const pick = delivered.planned && this.picks.find((open) => open.lane === lane && !open.delivered);
    if (pick) pick.delivered = delivered;
    else if (!this.adopt(delivered)) {
      this.reader.expect(lane);
      return this.options.onUnwanted(delivered);
    }
    this.options.onReady();
  }

  /** Takes what came by a poll, if there is room: it may have been sent to several idle lanes at once. */
  private adopt(delivered: Delivered): boolean {
    const { sequence, pace, limits } = this.options;
    const { type } = parseLane(delivered.lane);
    const now = Date.now();
    if (this.stopped || this.state(type) === 'Open' || !pace.hasRoom()) return false;
    if (this.free(type, now) <= 0) return false;
    const place = (sequence.place += 1);
    const expectedMs = pace.enqueue(type);
    this.picks.push({ lane: delivered.lane, type, place, pickedMs: now, expectedMs, delivered });
    limits.take(type, now);
    return true;
  }

  private forget(lane: string, count: number): void {
    const unfilled = this.picks.filter((pick) => pick.lane === lane && !pick.delivered);
    this.drop(unfilled.slice(-count));
    this.options.onReady();
  }

  private drop(picks: readonly Pick[]): void {
    if (picks.length === 0) return;
    const gone = new Set(picks);
    this.picks = this.picks.filter((pick) => !gone.has(pick));
    for (const { expectedMs, type } of picks) {
      this.options.pace.dequeue(expectedMs);
      this.options.limits.giveBack(type);
    }
  }
}

function exhaust(available: Map<Priority, string[]>, { type, priority }: Lane): void {
  const rest = (available.get(priority) ?? []).filter((name) => name !== type);
  if (rest.length > 0) available.set(priority, rest);
  else available.delete(priority);
}
