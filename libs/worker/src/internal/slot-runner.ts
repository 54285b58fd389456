import { decodeSignal, type ReplyOf, type RequestOf } from '@tps/contracts';
import { ReleasedError } from './attempt';
import { deadLetterUnreadable, releaseSignal } from './release';
import { carriesSignal, renewLease } from './acknowledgement';
import { type InFlightSignal, toInFlight } from './in-flight-signal';
import { PullPlanner, type Wait } from './pull-planner';
import type { Delivery } from './lane-reader';
import { NO_ENTRY } from './lease-table';
import type { Limits } from './limits';
import { Backoffs, type Load, loadOf } from './load';
import { type Overrun, Overruns } from './overruns';
import { Prefetch } from './prefetch';
import type { QueueLife } from './queue-life';
import { type Afterwards, Processor, type ProcessorDeps } from './processor';
import { RemovalGuard } from './removal-guard';
import type { LevelSequence } from './sequence';
import { RedeliveryGuard } from './redelivery-guard';

export interface SlotRunnerDeps extends ProcessorDeps {
  slots: number;
  life: QueueLife;
  sequence: LevelSequence;
  limits: Limits;
  /** A handler does not end; said once. */
  onEndless: (overrun: Overrun) => void;
  /** Reads what workers were told to refuse while a handler blocked this one. */
  readNotes: () => void;
}

const RENEWALS_PER_LEASE = 3;
/** A stop waits for so long until outcomes are recorded. */
const RECORD_LIMIT_MS = 2_667;
const MAX_BACKLOG = 512;

/**
 * The station: takes signals from the planner into its slots, runs their handlers, records what came of it, and only then
 * removes them from the queue. A slot is free again when the handler has ended, also when its attempt was ended before
 * that; the recording goes on behind it.
 */
export class SlotRunner {
  private readonly planner: PullPlanner;
  private readonly processor: Processor;
  private readonly overruns: Overruns;
  /** By sequence in the stream: a broker that forgot that it delivery one delivers it again. */
  private readonly inFlight = new Map<number, InFlightSignal>();
  private readonly running = new Set<InFlightSignal>();
  private readonly backoffs = new Backoffs();
  private readonly removals = new RemovalGuard();
  private readonly prefetch: Prefetch;
  private renewal: NodeJS.Timeout;
  private readonly offReconnect: () => void;
  private readonly redeliveries = new RedeliveryGuard(() => this.options.life.leaseMs);
  private stopping = false;

  constructor(private readonly options: SlotRunnerDeps) {
    const { context, recorder, lines, sequence, limits, slots, life, table } = options;
    this.prefetch = new Prefetch(slots);
    this.overruns = new Overruns(context.log, (overrun) => options.onEndless(overrun));
    this.processor = new Processor(options, this.prefetch);
    this.planner = new PullPlanner({
      bus: context.bus,
      life,
      table,
      types: [...options.definitions.keys()],
      sequence,
      prefetch: this.prefetch,
      limits,
      lines,
      claimed: (type) => this.claimed(type),
      canRecord: () => recorder.backlog < MAX_BACKLOG,
      onReady: () => this.fill(),
      onSurplus: (delivery) => this.refuse(delivery, 0),
      onLaneLost: () => this.onLaneLost(),
    });
    this.renewal = setTimeout(() => this.renewAll());
    this.offReconnect = context.bus.onReconnect(() => this.redeliveries.suspectAllStored());
  }

  get busy(): number {
    return this.running.size + this.overruns.size;
  }

  get started(): number {
    return this.processor.started;
  }

  /** Handlers that ignore their AbortSignal, by type. */
  deaf(): Record<string, number> {
    return this.overruns.deaf();
  }

  /** A handler that outlived its attempt by more than it may. */
  get endless(): Overrun | undefined {
    return this.overruns.endless;
  }

  load(): Load {
    const started = this.inFlight.values();
    const [arrived, overruns] = [this.planner.arrived(), this.overruns.types()];
    const retrying = this.backoffs.types(Date.now());
    return loadOf({ running: this.running, overruns, started, arrived, retrying });
  }

  /** Types whose handlers have run here. */
  ran(): string[] {
    const running = [...this.running].map(({ signal }) => signal.signal_type);
    return [...new Set([...this.prefetch.known(), ...running])];
  }

  /** Signals of a type that it asked for or holds, until they are recorded. */
  claimed(type: string): number {
    let count = this.planner.count(type) + this.overruns.count(type);
    for (const { signal, overrun } of this.inFlight.values()) {
      if (signal.signal_type === type && !overrun) count += 1;
    }
    return count;
  }

  get freeSlots(): number {
    return this.prefetch.freeSlots;
  }

  /** Starts to take signals. Processes that remove signals know of this worker by now. */
  begin(): void {
    this.planner.begin();
  }

  /** More may be taken than before. */
  onRoom(): void {
    this.planner.plan();
  }

  /** kanban says which queue it is; lanes that were gone are there. */
  onQueueKnown(lost: boolean): void {
    this.planner.onQueueKnown(lost);
  }

  /** A line stopped or runs again: waiting signals of a stopped type go back. */
  onLine(type: string): void {
    if (this.planner.state(type) === 'Open') {
      for (const delivery of this.planner.takeBack((name) => name === type)) this.refuse(delivery, 0);
    }
    this.planner.plan();
  }

  holds(id?: string): ReplyOf<'workerInFlight'> {
    const { context, definitions } = this.options;
    const { instance: worker_id } = context;
    const started = [...this.inFlight.values()].map(({ signal }) => signal.id);
    if (id === undefined) {
      const unread = this.redeliveries.leftUnread ? { unread: [...definitions.keys()] } : {};
      return { worker_id, state: 'none', started, ...unread };
    }
    if (started.includes(id)) return { worker_id, state: 'started' };
    const isFetched = this.planner.has((delivery) => carriesSignal(delivery, id));
    return { worker_id, state: isFetched ? 'waiting' : 'none' };
  }

  /** Takes nothing of this run from now on; says whether it was too late. */
  refuseSignal({ id, run = Infinity, undo }: RequestOf<'workerInFlight'>): ReplyOf<'workerInFlight'> {
    const answer = this.holds(id);
    if (id === undefined) return answer;
    if (undo) for (const delivery of this.removals.delete(id)) this.refuse(delivery, 0);
    if (undo || answer.state === 'started') return answer;
    this.removals.add(id, run);
    const waiting = this.planner.takeBackSignal((delivery) => carriesSignal(delivery, id));
    if (waiting) this.removals.blocks({ id, run }, waiting);
    return answer;
  }

  /** Takes no more, hands back what has not started, and waits for what has. */
  async drain(waitFor: Wait, limitMs: number): Promise<void> {
    this.stopping = true;
    const quiet = this.planner.stop(waitFor);
    const handBackWaiting = (): void => {
      for (const delivery of this.planner.takeBack(() => true)) this.refuse(delivery, 0);
    };
    handBackWaiting();
    await quiet;
    handBackWaiting();
    await waitFor(() => this.running.size === 0, limitMs);
  }

  /** Drains, and hands back what has not ended by then. A handler that ignores its AbortSignal is not waited for. */
  async stop(waitFor: Wait, graceMs: number): Promise<void> {
    await this.drain(waitFor, graceMs);
    for (const inFlight of this.running) inFlight.abort?.abort(new ReleasedError('the worker stops'));
    await waitFor(() => this.inFlight.size === 0 && this.options.recorder.backlog === 0, RECORD_LIMIT_MS);
    clearTimeout(this.renewal);
    this.offReconnect();
    this.planner.close();
  }

  private fill(): void {
    while (!this.stopping && this.busy < this.options.slots) {
      const pull = this.planner.take();
      if (!pull) break;
      const inFlight = this.open(pull.delivered, pull.place, pull.plannedMs);
      if (inFlight) void this.work(inFlight);
    }
    this.planner.plan();
  }

  /** Reads a delivery message; null when it is none of ours or must not run. */
  private open(delivery: Delivery, place: number, plannedMs: number): InFlightSignal | null {
    const { info, entry } = delivery;
    const signal = decodeSignal(delivery.msg);
    if (!signal) deadLetterUnreadable(this.options, delivery);
    this.options.table.open(entry);
    this.options.readNotes();
    const isBlocked = signal !== null && this.removals.blocks(signal, delivery);
    // The acknowledgement of the first delivery is for both. A signal of a queue that was lost is another one.
    const isTwin = this.inFlight.get(info.streamSeq)?.info.storedAtMs === info.storedAtMs;
    if (!signal || isBlocked || isTwin) {
      this.options.table.leave(entry);
      delivery.entry = NO_ENTRY;
      return null;
    }
    const suspect = this.redeliveries.isSuspect(info);
    const { readsLate: readLate } = this.redeliveries;
    const inFlight = toInFlight(delivery, signal, {
      suspect: suspect || readLate,
      readLate,
      place,
      plannedMs,
    });
    this.inFlight.set(info.streamSeq, inFlight);
    return inFlight;
  }

  private async work(inFlight: InFlightSignal): Promise<void> {
    const expected = this.prefetch.start(inFlight.signal.signal_type);
    this.running.add(inFlight);
    let after: Afterwards;
    try {
      after = await this.processor.process(inFlight);
    } catch (error) {
      after = this.processor.afterError(inFlight, error);
    }
    this.running.delete(inFlight);
    if (inFlight.overrun) this.outlive(inFlight, inFlight.overrun, expected);
    else this.freeSlot(expected);
    await after().catch((error: unknown) => {
      // The lease ends and another worker looks it up in the records.
      this.options.context.log.error('outcome not recorded', { signal_id: inFlight.signal.id, error });
    });
    this.letGo(inFlight);
  }

  /** A lane that is made again delivers what is in flight once more, as if for the first time. */
  private onLaneLost(): void {
    this.redeliveries.suspectAllStored();
    this.options.life.doubt();
  }

  private freeSlot(expected: number): void {
    this.prefetch.finish(expected);
    this.fill();
  }

  /** The attempt has ended, its handler has not: slot and card stay taken. */
  private outlive(inFlight: InFlightSignal, handler: Promise<unknown>, expected: number): void {
    const { id: signalId, signal_type: type } = inFlight.signal;
    const timeoutMs = this.options.definitions.get(type)?.timeoutMs ?? 0;
    const overrun: Overrun = { type, signalId, timeoutMs, sinceMs: performance.now() };
    this.overruns.add(overrun, handler, () => {
      inFlight.overrun = undefined;
      this.freeSlot(expected);
      this.options.limits.onFinished(type);
    });
  }

  private letGo(inFlight: InFlightSignal): void {
    this.backoffs.add(inFlight);
    const { streamSeq } = inFlight.info;
    if (this.inFlight.get(streamSeq) === inFlight) this.inFlight.delete(streamSeq);
    this.options.table.leave(inFlight.entry);
    this.options.limits.onFinished(inFlight.signal.signal_type);
  }

  private refuse(delivery: Delivery, delayMs: number): void {
    const inFlight = this.open(delivery, 0, Date.now());
    if (!inFlight) return;
    void releaseSignal(this.options, inFlight, delayMs)
      .catch((error: unknown) => this.options.context.log.warn('not handed back', { error }))
      .finally(() => this.letGo(inFlight));
  }

  private renewAll(): void {
    const { life, table } = this.options;
    table.leaseMs = life.leaseMs;
    // kanban may tell of another lease while the worker runs.
    this.renewal = setTimeout(() => this.renewAll(), life.leaseMs / RENEWALS_PER_LEASE);
    this.redeliveries.renewed();
    this.overruns.sweep(performance.now());
    for (const inFlight of this.inFlight.values()) renewLease(inFlight);
    for (const delivery of [...this.planner.arrived(), ...this.removals.blocked()]) renewLease(delivery);
    this.removals.sweep();
  }
}
