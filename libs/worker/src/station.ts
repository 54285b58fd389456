import { LEASE_MS } from '@tps/bus';
import type { HoldsReply, HoldsRequest, Outcome } from '@tps/contracts';
import type { LineView, ServiceContext, SignalSpan } from '@tps/service';
import { Abort } from './abort';
import {
  type AttemptResult,
  type CompiledSignal,
  HandBackError,
  handlerContext,
  runAttempt,
} from './attempt';
import { delayAfter, discard, handBack, NO_TRACE } from './hand-back';
import { acknowledge, deadlineOf, type Held, isOf, readSignal, renew, takenUp } from './held';
import { type Records } from './history';
import { Intake, type Wait } from './intake';
import type { Delivered } from './lanes';
import type { Limits } from './limits';
import { conclude, failureBefore, outcomeOf } from './outcome';
import { Pace } from './pace';
import type { Recorded, Recorder } from './recorder';
import { Refusals } from './refusals';
import type { LevelSequence } from './sequence';
import { endSpan, startSpan } from './span';
import { Suspicion } from './suspicion';
import { claimTrial, givesWay } from './trial';

export interface StationOptions {
  context: ServiceContext;
  definitions: ReadonlyMap<string, CompiledSignal>;
  slots: number;
  lines: LineView;
  sequence: LevelSequence;
  limits: Limits;
  recorder: Recorder;
  records: Records;
  onAttempt: (type: string, status: string) => void;
}

const RENEW_MS = LEASE_MS / 3;
/** At the end of a trial that was refused or failed: those that never failed come first. */
const AFTER_TRIAL_MS = 3_000;
const MAX_BACKLOG = 512;

/**
 * The station: takes signals from the intake into its slots, runs their handlers, records what came of it, and only then
 * removes them from the queue. A slot is free again when the handler has ended; the recording goes on behind it.
 */
export class Station {
  private readonly intake: Intake;
  started = 0;
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
    return this.running.size;
  }

  /** Signals of a type that it asked for or holds, until they are recorded. */
  inHand(type: string): number {
    let count = this.intake.count(type);
    for (const { signal } of this.held.values()) if (signal.signal_type === type) count += 1;
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
  async stop(waitFor: Wait, graceMs: number): Promise<void> {
    this.stopping = true;
    const quiet = this.intake.stop(waitFor);
    const handBack = (): void => {
      for (const delivered of this.intake.withdraw(() => true)) this.refuse(delivered, 0);
    };
    handBack();
    await quiet;
    handBack();
    await waitFor(() => this.running.size === 0, graceMs);
    for (const held of this.running) held.abort?.abort(new HandBackError('the worker stops'));
    await waitFor(() => this.held.size === 0 && this.options.recorder.backlog === 0, RENEW_MS);
    clearInterval(this.renewal);
    this.offReconnect();
    this.intake.close();
  }

  private fill(): void {
    while (!this.stopping && this.running.size < this.options.slots) {
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
    let after: (() => Promise<void>) | undefined;
    try {
      after = await this.process(held);
    } catch (error) {
      const delay = delayAfter(this.options, held, error);
      after = () => handBack(this.options, held, delay);
    }
    this.running.delete(held);
    this.pace.finish(expected);
    this.fill();
    await after().catch((error: unknown) => {
      // The lease ends and another worker looks it up in the records.
      this.options.context.log.error('outcome not recorded', { signal_id: held.signal.id, error });
    });
    this.letGo(held);
  }

  private letGo(held: Held): void {
    this.held.delete(held.info.streamSeq);
    this.options.limits.finished(held.signal.signal_type);
  }

  /** @returns what is to be done when the slot is free again */
  private async process(held: Held): Promise<() => Promise<void>> {
    const { context, lines, definitions, recorder, records } = this.options;
    const { signal, info } = held;
    const state = this.intake.state(signal.signal_type);
    if (state !== 'Closed') {
      if (state === 'HalfOpen' && (await givesWay(records, lines, held))) {
        return () => handBack(this.options, held, AFTER_TRIAL_MS);
      }
      const epoch = state === 'HalfOpen' ? await claimTrial(context, signal.signal_type) : null;
      if (epoch === null) return () => handBack(this.options, held, AFTER_TRIAL_MS);
      held.epoch = epoch;
    }
    let attempt = 1;
    if (info.deliveries > 1 || held.suspect) {
      const history = await records.historyOf(held);
      if (history.kind === 'finished') return async () => this.dropFinished(held, history.outcome);
      attempt = history.attempt;
      held.last = history.last;
    }
    const definition = definitions.get(signal.signal_type) as CompiledSignal;
    const deadlineMs = deadlineOf(held, lines);
    const started = { atMs: Date.now(), clock: performance.now() };
    this.started += 1;
    const span = startSpan(context.tracer, held, attempt);
    const ended = this.attempt(held, definition, { attempt, deadlineMs, span });
    const result = ended instanceof Promise ? await ended : ended;
    const processMs = performance.now() - started.clock;
    if (result) this.pace.learn(signal.signal_type, processMs);
    const conclusion = conclude({ definition, held, attempt, deadlineMs, result, nowMs: Date.now() });
    const outcome = outcomeOf(conclusion, {
      held,
      workerId: context.instance,
      startedMs: started.atMs,
      processMs,
      traceId: span.traceId,
    });
    endSpan(span, conclusion);
    // Now, and not before: what failed is traced from here on, even in a trace that was not sampled.
    const trace = span.headers;
    this.options.onAttempt(signal.signal_type, conclusion.status);
    if (conclusion.stack) {
      const { signal_id, trace_id, message: error } = outcome;
      context.log.warn('attempt failed', { signal_id, trace_id, error, stack: conclusion.stack });
    }
    const { json: resultJson } = conclusion;
    const recorded: Recorded = resultJson === undefined ? { outcome, trace } : { outcome, trace, resultJson };
    if (signal.reply_to) recorded.reply_to = signal.reply_to;
    return () => recorder.settle(held, conclusion, recorded);
  }

  /** @returns null when the signal was too late to start, or out of attempts before this one */
  private attempt(
    held: Held,
    definition: CompiledSignal,
    { attempt, deadlineMs, span }: { attempt: number; deadlineMs: number; span: SignalSpan },
  ): AttemptResult | null | Promise<AttemptResult> {
    const { signal } = held;
    if (failureBefore(held, definition)) return null;
    if (Date.now() >= deadlineMs || attempt > (definition.retry?.max_attempts ?? 1)) return null;
    const abort = new Abort();
    held.abort = abort;
    const endsAtMs = Math.min(deadlineMs, Date.now() + definition.timeoutMs);
    const context = handlerContext(this.options.context, held, { attempt, span, abort, endsAtMs });
    const result = runAttempt(definition, signal.payload, context, { abort, deadlineMs });
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      span.end();
      throw error;
    });
  }

  /** The work was done in an earlier delivery whose acknowledgement was lost. */
  private dropFinished(held: Held, outcome: Outcome): void {
    acknowledge(held.msg);
    const { reply_to } = held.signal;
    if (reply_to) this.options.recorder.reply({ outcome, trace: held.trace ?? NO_TRACE, reply_to });
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
    for (const { msg } of this.held.values()) renew(msg);
    for (const { msg } of [...this.intake.arrived(), ...this.refused.withheld()]) renew(msg);
    this.refused.sweep();
  }
}
