import { LEASE_MS } from '@tps/bus';
import type { HoldsReply, HoldsRequest } from '@tps/contracts';
import { HandBackError } from './attempt';
import { discard, handBack } from './hand-back';
import { type Held, isOf, readSignal, renew, takenUp } from './held';
import { Intake, type Wait } from './intake';
import type { Delivered } from './lanes';
import type { Limits } from './limits';
import { type Overrun, Overruns } from './overruns';
import { Pace } from './pace';
import { type Afterwards, Processor, type ProcessorOptions } from './processor';
import { Refusals } from './refusals';
import type { LevelSequence } from './sequence';
import { Suspicion } from './suspicion';

export interface StationOptions extends ProcessorOptions {
  slots: number;
  sequence: LevelSequence;
  limits: Limits;
  /** A handler does not end; said once. */
  onEndless: (overrun: Overrun) => void;
}

const RENEW_MS = LEASE_MS / 3;
const MAX_BACKLOG = 512;

/**
 * The station: takes signals from the intake into its slots, runs their handlers, records what came of it, and only then
 * removes them from the queue. A slot is free again when the handler has ended, also when its attempt was ended before
 * that; the recording goes on behind it.
 */
export class Station {
  private readonly intake: Intake;
  private readonly processor: Processor;
  private readonly overruns = new Overruns();
  /** By sequence in the stream: a broker that forgot that it delivered one delivers it again. */
  private readonly held = new Map<number, Held>();
  private readonly running = new Set<Held>();
  private readonly refused = new Refusals();
  private readonly pace: Pace;
  private readonly renewal: NodeJS.Timeout;
  private readonly offReconnect: () => void;
  private readonly suspicion = new Suspicion();
  private stopping = false;

  constructor(private readonly options: StationOptions) {
    const { context, recorder, lines, sequence, limits, slots } = options;
    this.pace = new Pace(slots);
    this.processor = new Processor(options, this.pace);
    this.intake = new Intake({
      bus: context.bus,
      types: [...options.definitions.keys()],
      sequence,
      pace: this.pace,
      limits,
      lines,
      inHand: (type) => this.inHand(type),
      mayTake: () => recorder.backlog < MAX_BACKLOG,
      onReady: () => this.fill(),
      onUnwanted: (delivered) => this.refuse(delivered, 0),
    });
    this.renewal = setInterval(() => this.renewAll(), RENEW_MS);
    this.offReconnect = context.bus.onReconnect(() => this.suspicion.begin());
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

  /** Types whose handlers have run here. */
  ran(): string[] {
    const running = [...this.running].map(({ signal }) => signal.signal_type);
    return [...new Set([...this.pace.known(), ...running])];
  }

  /** Signals of a type that it asked for or holds, until they are recorded. */
  inHand(type: string): number {
    let count = this.intake.count(type) + this.overruns.count(type);
    for (const { signal, overrun } of this.held.values()) {
      if (signal.signal_type === type && !overrun) count += 1;
    }
    return count;
  }

  get freeSlots(): number {
    return this.pace.freeSlots;
  }

  /** Takes the first signal from here on: whoever takes one back knows of this worker by now. */
  begin(): void {
    this.intake.begin();
  }

  /** More may be taken than before. */
  onRoom(): void {
    this.intake.plan();
  }

  /** A line stopped or runs again: what waits here of a stopped type goes back. */
  onLine(type: string): void {
    if (this.intake.state(type) === 'Open') {
      for (const delivered of this.intake.withdraw((name) => name === type)) this.refuse(delivered, 0);
    }
    this.intake.plan();
  }

  holds(id?: string): HoldsReply {
    const worker_id = this.options.context.instance;
    if (id === undefined) {
      return { worker_id, state: 'none', started: [...this.held.values()].map(({ signal }) => signal.id) };
    }
    for (const held of this.held.values()) if (held.signal.id === id) return { worker_id, state: 'started' };
    return { worker_id, state: this.intake.has((delivered) => isOf(delivered, id)) ? 'waiting' : 'none' };
  }

  /** Takes nothing of this run from now on; says whether it was too late. */
  refuseSignal({ id, run = Infinity, undo }: HoldsRequest): HoldsReply {
    const answer = this.holds(id);
    if (id === undefined) return answer;
    if (undo) for (const delivered of this.refused.delete(id)) this.refuse(delivered, 0);
    if (undo || answer.state === 'started') return answer;
    this.refused.add(id, run);
    const waiting = this.intake.withdrawSignal((delivered) => isOf(delivered, id));
    if (waiting) this.refused.withholds({ id, run }, waiting);
    return answer;
  }

  /** Takes no more, hands back what has not started, and waits for what has. */
  async drain(waitFor: Wait, limitMs: number): Promise<void> {
    this.stopping = true;
    const quiet = this.intake.stop(waitFor);
    const handBackWaiting = (): void => {
      for (const delivered of this.intake.withdraw(() => true)) this.refuse(delivered, 0);
    };
    handBackWaiting();
    await quiet;
    handBackWaiting();
    await waitFor(() => this.running.size === 0, limitMs);
  }

  /** Drains, and hands back what has not ended by then. A handler that ignores its AbortSignal is not waited for. */
  async stop(waitFor: Wait, graceMs: number): Promise<void> {
    await this.drain(waitFor, graceMs);
    for (const held of this.running) held.abort?.abort(new HandBackError('the worker stops'));
    await waitFor(() => this.held.size === 0 && this.options.recorder.backlog === 0, RENEW_MS);
    clearInterval(this.renewal);
    this.offReconnect();
    this.intake.close();
  }

  private fill(): void {
    while (!this.stopping && this.busy < this.options.slots) {
      const pick = this.intake.take();
      if (!pick) break;
      const held = this.open(pick.delivered, pick.place, pick.pickedMs);
      if (held) void this.work(held);
    }
    this.intake.plan();
  }

  /** Reads a delivered message; null when it is none of ours or must not run. */
  private open(delivered: Delivered, place: number, pickedMs: number): Held | null {
    const { info } = delivered;
    const signal = readSignal(delivered);
    if (!signal) {
      discard(this.options, delivered);
      return null;
    }
    if (this.refused.withholds(signal, delivered)) return null;
    // The acknowledgement of the first delivery is for both.
    if (this.held.has(info.streamSeq)) return null;
    const suspect = this.suspicion.fallsOn(info);
    const held = takenUp(delivered, signal, { suspect, place, pickedMs });
    this.held.set(info.streamSeq, held);
    return held;
  }

  private async work(held: Held): Promise<void> {
    const expected = this.pace.start(held.signal.signal_type);
    this.running.add(held);
    let after: Afterwards;
    try {
      after = await this.processor.process(held);
    } catch (error) {
      after = this.processor.afterError(held, error);
    }
    this.running.delete(held);
    if (held.overrun) this.outlive(held, held.overrun, expected);
    else this.freeSlot(expected);
    await after().catch((error: unknown) => {
      // The lease ends and another worker looks it up in the records.
      this.options.context.log.error('outcome not recorded', { signal_id: held.signal.id, error });
    });
    this.letGo(held);
  }

  private freeSlot(expected: number): void {
    this.pace.finish(expected);
    this.fill();
  }

  /** The attempt has ended, its handler has not: slot and card stay taken. */
  private outlive(held: Held, handler: Promise<unknown>, expected: number): void {
    const { id: signalId, signal_type: type } = held.signal;
    const timeoutMs = this.options.definitions.get(type)?.timeoutMs ?? 0;
    const overrun: Overrun = { type, signalId, timeoutMs, sinceMs: performance.now() };
    this.overruns.add(overrun, handler, (wasDeaf) => {
      held.overrun = undefined;
      if (wasDeaf) this.tell('info', 'a handler that ignored its AbortSignal has ended', overrun);
      this.freeSlot(expected);
      this.options.limits.finished(type);
    });
  }

  private watchOverruns(): void {
    const known = this.overruns.endless;
    for (const overrun of this.overruns.sweep(performance.now())) {
      const message = 'a handler ignores its AbortSignal: it keeps its slot and its card until it ends';
      this.tell('warn', message, overrun);
    }
    const { endless } = this.overruns;
    if (endless && !known) this.options.onEndless(endless);
  }

  private tell(level: 'info' | 'warn', message: string, { type, signalId, sinceMs }: Overrun): void {
    const late_ms = Math.round(performance.now() - sinceMs);
    this.options.context.log[level](message, { signal_type: type, signal_id: signalId, late_ms });
  }

  private letGo(held: Held): void {
    this.held.delete(held.info.streamSeq);
    this.options.limits.finished(held.signal.signal_type);
  }

  private refuse(delivered: Delivered, delayMs: number): void {
    const held = this.open(delivered, 0, Date.now());
    if (!held) return;
    void handBack(this.options, held, delayMs)
      .catch((error: unknown) => this.options.context.log.warn('not handed back', { error }))
      .finally(() => this.letGo(held));
  }

  private renewAll(): void {
    this.suspicion.renewed();
    this.watchOverruns();
    for (const { msg } of this.held.values()) renew(msg);
    for (const { msg } of [...this.intake.arrived(), ...this.refused.withheld()]) renew(msg);
    this.refused.sweep();
  }
}
