import type { RecordsClient } from '@tps/bus';
import { decodeSignal, type ReplyOf, type RequestOf, type WorkerVitals } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { WorkerConfig } from '../worker-setup';
import { carriesSignal, renewLease } from './acknowledgement';
import { type CompiledDefinition, ReleasedError } from './attempt';
import { type InFlightSignal, toInFlight } from './in-flight-signal';
import type { Delivery } from './lane-reader';
import { NO_ENTRY } from './lease-table';
import { Limits } from './limits';
import { Backoffs, loadOf } from './load';
import type { LoopMonitor } from './loop-monitor';
import type { OtherWorkers } from './other-workers';
import { EndlessHandlerError, type Overrun, Overruns } from './overruns';
import { Pipeline } from './pipeline';
import { Prefetch } from './prefetch';
import { PullPlanner, STOP_LIMIT_MS } from './pull-planner';
import type { QueueLife } from './queue-life';
import type { Recorder } from './recorder';
import { RedeliveryGuard } from './redelivery-guard';
import { deadLetterUnreadable, releaseSignal } from './release';
import { RemovalGuard } from './removal-guard';
import { LevelSequence } from './sequence';
import { Slots } from './slots';
import type { Strays } from './strays';
import { until } from './until';

export interface SlotRunnerDeps {
  context: ServiceContext<WorkerConfig>;
  definitions: ReadonlyMap<string, CompiledDefinition>;
  lines: LineView;
  life: QueueLife;
  monitor: LoopMonitor;
  recorder: Recorder;
  records: RecordsClient;
  others: OtherWorkers;
  strays: Strays;
  onAttempt: (type: string, status: string) => void;
}

const RENEWALS_PER_LEASE = 3;
const GRACE_MS = 15_000;
/** A stop waits for this long until outcomes are recorded. */
const RECORD_LIMIT_MS = 2_667;
/** Time for the other work when a handler does not end. The stop releases longer work without using up an attempt. */
const DRAIN_MS = 300_000;
const MAX_BACKLOG = 512;

/**
 * Takes signals from the planner into slots and runs them there. It knows every signal in flight, from its delivery to
 * its acknowledgement, and renews the lease of each.
 */
export class SlotRunner {
  readonly sequence = new LevelSequence();
  readonly limits: Limits;
  readonly overruns: Overruns;
  readonly slots: Slots;
  private readonly types: string[];
  private readonly prefetch: Prefetch;
  private readonly pipeline: Pipeline;
  private readonly planner: PullPlanner;
  /** By sequence in the stream, because a broker that forgot a delivery delivers the message again. */
  private readonly inFlight = new Map<number, InFlightSignal>();
  private readonly backoffs = new Backoffs();
  private readonly removals = new RemovalGuard();
  private readonly redeliveries: RedeliveryGuard;
  private readonly offReconnect: () => void;
  private renewal: NodeJS.Timeout | undefined;

  constructor(private readonly deps: SlotRunnerDeps) {
    const { context, definitions, lines, life, recorder } = deps;
    const { bus, config } = context;
    const { table } = deps.monitor;
    const slots = config.TPS_NUM_WORKERS;
    this.types = [...definitions.keys()];
    this.prefetch = new Prefetch(slots);
    this.overruns = new Overruns(context.log, (overrun) => void this.startAnew(overrun));
    this.slots = new Slots(slots, this.prefetch, this.overruns, (type) => this.onSlotFree(type));
    this.pipeline = new Pipeline({ ...deps, bus, table }, this.slots, (inFlight) => this.letGo(inFlight));
    this.limits = new Limits(context, new Set(this.types), this);
    this.planner = new PullPlanner({
      bus,
      life,
      table,
      types: this.types,
      sequence: this.sequence,
      prefetch: this.prefetch,
      limits: this.limits,
      lines,
      claimed: (type) => this.claimed(type),
      canRecord: () => recorder.backlog < MAX_BACKLOG,
      onReady: () => this.fill(),
      onSurplus: (delivery) => this.release(delivery),
      onLaneLost: () => {
        // A lane that is made again delivers what is in flight once more, as if for the first time.
        this.redeliveries.suspectAllStored();
        life.doubt();
      },
    });
    this.redeliveries = new RedeliveryGuard(() => life.leaseMs);
    this.offReconnect = bus.onReconnect(() => this.redeliveries.suspectAllStored());
    lines.onChange((type) => this.onLine(type));
    life.onKnown((lost) => this.planner.onQueueKnown(lost));
    deps.monitor.onBlockRequest((request) => void this.block(request));
  }

  get freeSlots(): number {
    return this.prefetch.freeSlots;
  }

  vitals(): WorkerVitals {
    const { types, slots, overruns, inFlight, planner } = this;
    const claims = types.map((type) => [type, this.claimed(type)] as const);
    const blocked = this.deps.monitor.recent;
    const nowMs = Date.now();
    const { started, lastStartMs } = this.pipeline;
    const load = loadOf({
      running: slots.signals(),
      overruns: overruns.types(),
      started: inFlight.values(),
      arrived: planner.arrived(),
      retrying: this.backoffs.types(nowMs),
      ...{ lastStartMs, nowMs },
    });
    return {
      types,
      ...{ slots: slots.size, busy: slots.busy, started },
      in_hand: Object.fromEntries(claims.filter(([, count]) => count > 0)),
      deaf: overruns.deaf(),
      ...load,
      ...(blocked ? { blocked } : {}),
    };
  }

  /** Types whose handlers have run here. */
  ran(): string[] {
    const running = this.slots.signals().map(({ signal }) => signal.signal_type);
    return [...new Set([...this.prefetch.known(), ...running])];
  }

  /** Signals of a type that were requested or are in flight. */
  claimed(type: string): number {
    let count = this.planner.count(type) + this.overruns.count(type);
    for (const { signal, overrun } of this.inFlight.values()) {
      if (signal.signal_type === type && !overrun) count += 1;
    }
    return count;
  }

  /** Starts to take signals. Services that remove signals from the queue know of this worker by now. */
  begin(): void {
    this.renewAll();
    this.planner.begin();
  }

  /** More may be taken than before. */
  onRoom(): void {
    this.planner.plan();
  }

  /** Tells whether this worker has a signal in flight; without an id, which signals it has started. */
  inFlightReply(id?: string): ReplyOf<'workerInFlight'> {
    const worker_id = this.deps.context.instance;
    const started = [...this.inFlight.values()].map(({ signal }) => signal.id);
    if (id === undefined) {
      const unread = this.redeliveries.leftUnread ? { unread: this.types } : {};
      return { worker_id, state: 'none', started, ...unread };
    }
    if (started.includes(id)) return { worker_id, state: 'started' };
    const isFetched = this.planner.has((delivery) => carriesSignal(delivery, id));
    return { worker_id, state: isFetched ? 'waiting' : 'none' };
  }

  /** Starts nothing of this run from now on; tells whether it was too late. */
  block({ id, run = Infinity, undo }: RequestOf<'workerInFlight'>): ReplyOf<'workerInFlight'> {
    const reply = this.inFlightReply(id);
    if (id === undefined) return reply;
    if (undo) for (const delivery of this.removals.delete(id)) this.release(delivery);
    if (undo || reply.state === 'started') return reply;
    this.removals.add(id, run);
    const waiting = this.planner.takeBackSignal((delivery) => carriesSignal(delivery, id));
    if (waiting) this.removals.blocks({ id, run }, waiting);
    return reply;
  }

  /** Drains, and releases what has not ended by then. A handler that ignores its AbortSignal is not waited for. */
  async stop(): Promise<void> {
    const { recorder, life } = this.deps;
    const released = this.limits.release();
    await this.drain(GRACE_MS);
    for (const { abort } of this.slots.signals()) abort.abort(new ReleasedError('the worker stops'));
    await until(() => this.inFlight.size === 0 && recorder.backlog === 0, RECORD_LIMIT_MS);
    clearTimeout(this.renewal);
    this.offReconnect();
    this.planner.close();
    await released;
    await this.limits.release();
    recorder.close();
    this.limits.close();
    life.close();
  }

  /** Takes no more, releases what has not started, and waits for what has. */
  private async drain(limitMs: number): Promise<void> {
    this.planner.stop();
    this.releaseWaiting(() => true);
    await until(() => this.planner.quiet, STOP_LIMIT_MS);
    this.releaseWaiting(() => true);
    await until(() => this.slots.signals().length === 0, limitMs);
  }

  /** Only the end of the process ends a handler. The other work ends first, if it does so in time. */
  private async startAnew({ type, signalId: signal_id }: Overrun): Promise<void> {
    const { context } = this.deps;
    context.log.error('a handler does not end: taking no more work', { signal_type: type, signal_id });
    await this.drain(DRAIN_MS);
    context.fail(new EndlessHandlerError(type));
  }

  private fill(): void {
    while (this.slots.busy < this.slots.size) {
      const pull = this.planner.take();
      if (!pull) break;
      const inFlight = this.open(pull.delivered);
      if (!inFlight) continue;
      inFlight.place = pull.place;
      inFlight.plannedMs = pull.plannedMs;
      void this.pipeline.run(inFlight);
    }
    this.planner.plan();
  }

  /** Reads a delivered message. Returns null if it is no signal, or must not run. */
  private open(delivery: Delivery): InFlightSignal | null {
    const { context, recorder, definitions, monitor } = this.deps;
    const { info, entry } = delivery;
    const signal = decodeSignal(delivery.msg);
    if (!signal) deadLetterUnreadable({ context, recorder }, delivery);
    monitor.table.open(entry);
    // While a handler blocked this process, its thread may have answered that a signal will not run.
    monitor.readNotes();
    const isBlocked = signal !== null && this.removals.blocks(signal, delivery);
    // The acknowledgement of the first delivery counts for both. The same sequence in another queue is another signal.
    const isTwin = this.inFlight.get(info.streamSeq)?.info.storedAtMs === info.storedAtMs;
    if (!signal || isBlocked || isTwin) {
      monitor.table.leave(entry);
      delivery.entry = NO_ENTRY;
      return null;
    }
    const definition = definitions.get(signal.signal_type) as CompiledDefinition;
    const inFlight = toInFlight(delivery, signal, definition, this.redeliveries);
    this.inFlight.set(info.streamSeq, inFlight);
    return inFlight;
  }

  private onSlotFree(overrunType?: string): void {
    this.fill();
    if (overrunType !== undefined) this.limits.onFinished(overrunType);
  }

  private letGo(inFlight: InFlightSignal): void {
    this.backoffs.add(inFlight);
    const { streamSeq } = inFlight.info;
    if (this.inFlight.get(streamSeq) === inFlight) this.inFlight.delete(streamSeq);
    this.deps.monitor.table.leave(inFlight.entry);
    this.limits.onFinished(inFlight.signal.signal_type);
  }

  /** Releases a signal that has not started. */
  private release(delivery: Delivery): void {
    const inFlight = this.open(delivery);
    if (!inFlight) return;
    void releaseSignal(this.deps, inFlight, 0)
      .catch((error: unknown) => this.deps.context.log.warn('not released', { error }))
      .finally(() => this.letGo(inFlight));
  }

  private releaseWaiting(isUnwanted: (type: string) => boolean): void {
    for (const delivery of this.planner.takeBack(isUnwanted)) this.release(delivery);
  }

  /** A line stopped or runs again. The waiting signals of a stopped line go back. */
  private onLine(type: string): void {
    if (this.deps.lines.state(type) === 'Open') this.releaseWaiting((name) => name === type);
    this.planner.plan();
  }

  private renewAll(): void {
    const { life, monitor } = this.deps;
    monitor.table.leaseMs = life.leaseMs;
    // kanban may tell of another lease while the worker runs.
    this.renewal = setTimeout(() => this.renewAll(), life.leaseMs / RENEWALS_PER_LEASE);
    this.redeliveries.renewed();
    this.overruns.sweep(performance.now());
    for (const inFlight of this.inFlight.values()) renewLease(inFlight);
    for (const delivery of [...this.planner.arrived(), ...this.removals.blocked()]) renewLease(delivery);
    this.removals.sweep();
  }
}
