import type { Outcome } from '@tps/contracts';
import { describeThrown, type LineView, type ServiceContext, type SignalSpan } from '@tps/service';
import { Abort } from './abort';
import { type AttemptResult, type CompiledSignal, HandBackError, runAttempt } from './attempt';
import { handlerContext } from './context';
import { CapacityError } from './failure';
import { handBack, handBackFaulty, NO_TRACE, settleFault } from './hand-back';
import { acknowledge, deadlineOf, type Held, laterMs } from './held';
import { type Records, RecordsUnavailableError } from './history';
import { conclude, failureBefore, outcomeOf } from './outcome';
import type { Pace } from './pace';
import type { Recorded, Recorder } from './recorder';
import { endSpan, startSpan } from './span';
import type { Strays } from './strays';
import { claimTrial, givesWay } from './trial';

export interface ProcessorOptions {
  context: ServiceContext;
  definitions: ReadonlyMap<string, CompiledSignal>;
  lines: LineView;
  recorder: Recorder;
  records: Records;
  strays: Strays;
  onAttempt: (type: string, status: string) => void;
}

/** Finishes a signal, once its slot is free again. */
export type Afterwards = () => Promise<void>;

/** Delay after a refused trial. It lets signals that never failed be tried first. */
const AFTER_TRIAL_MS = 3_000;
/** Threads and connections are taken for moments, mostly. */
const ROOM_MS = 250;
/** A signal without room waits for at most one eighth of its remaining time, so that its last chance comes late. */
const PARTS = 8;

/**
 * Runs one signal and concludes what follows.
 *
 * Every start of a handler leads to exactly one record. attempt.ts turns everything that a handler throws, returns or
 * does to its context into the result of the attempt. A failure of the worker itself is recorded as a defect if the
 * handler had started; before the start, it releases the signal a bounded number of times.
 */
export class Processor {
  started = 0;

  constructor(
    private readonly options: ProcessorOptions,
    private readonly pace: Pace,
  ) {}

  /** Rejects with an error for `afterError`. */
  async process(held: Held): Promise<Afterwards> {
    const { context, definitions, lines, records, recorder } = this.options;
    const { signal, info } = held;
    const state = lines.state(signal.signal_type);
    if (state !== 'Closed' && !(state === 'HalfOpen' && (await this.isTrial(held)))) {
      return () => handBack(this.options, held, AFTER_TRIAL_MS);
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
    const startedMs = Date.now();
    const clock = performance.now();
    this.started += 1;
    const span = startSpan(context.tracer, held, attempt);
    let result: AttemptResult | null;
    try {
      const ended = this.attempt(held, definition, { attempt, deadlineMs, span });
      result = ended instanceof Promise ? await ended : ended;
    } catch (error) {
      span.end();
      throw error;
    }
    const processMs = performance.now() - clock;
    if (result) this.pace.learn(signal.signal_type, processMs);
    if (result && !result.ok) held.overrun = result.overrun;
    const conclusion = conclude({ definition, held, attempt, deadlineMs, result, nowMs: Date.now() });
    const { instance: workerId } = context;
    const { traceId } = span;
    const outcome = outcomeOf(conclusion, { held, workerId, startedMs, processMs, traceId });
    endSpan(span, conclusion);
    // Read after the end of the span: a failure is traced from here on, even in a trace that was not sampled.
    const trace = span.headers;
    this.tell(outcome, conclusion.stack);
    const { json: resultJson } = conclusion;
    const recorded: Recorded = resultJson === undefined ? { outcome, trace } : { outcome, trace, resultJson };
    if (signal.reply_to) recorded.reply_to = signal.reply_to;
    return () => recorder.settle(held, conclusion, recorded);
  }

  /** Decides how a signal goes on when `process` has rejected. Never throws. */
  afterError(held: Held, error: unknown): Afterwards {
    const { log } = this.options.context;
    const { id: signal_id, signal_type } = held.signal;
    if (error instanceof HandBackError) return () => handBack(this.options, held, 0);
    if (error instanceof CapacityError) return this.noRoom(held, error);
    if (error instanceof RecordsUnavailableError) {
      log.warn('handed back', { signal_id, error });
      return () => handBack(this.options, held, laterMs(held));
    }
    log.error('fault in the worker', { signal_id, signal_type, error });
    const { attempt } = held;
    if (attempt === undefined) return () => handBackFaulty(this.options, held, error);
    const message = `the worker failed to account for this attempt: ${describeThrown(error).message}`;
    return () => settleFault(this.options, held, attempt, message);
  }
  /** The signal comes back no later than its deadline, so that it expires in time. */
  private noRoom(held: Held, { message }: CapacityError): Afterwards {
    const { lines, onAttempt } = this.options;
    held.noRoom = message;
    onAttempt(held.signal.signal_type, 'returned');
    const leftMs = Math.max(1, deadlineOf(held, lines) - Date.now());
    const delayMs = Math.min(laterMs(held, ROOM_MS), Math.max(ROOM_MS, leftMs / PARTS), leftMs);
    return () => handBack(this.options, held, delayMs);
  }

  /** Claims the trial of a stopped line for this signal. */
  private async isTrial(held: Held): Promise<boolean> {
    const { context, lines, records } = this.options;
    if (await givesWay(records, lines, held)) return false;
    const epoch = await claimTrial(context, held.signal.signal_type);
    if (epoch !== null) held.epoch = epoch;
    return epoch !== null;
  }

  /** @returns null when the signal was too late to start, or out of attempts before this one */
  private attempt(
    held: Held,
    definition: CompiledSignal,
    { attempt, deadlineMs, span }: { attempt: number; deadlineMs: number; span: SignalSpan },
  ): AttemptResult | null | Promise<AttemptResult> {
    const { payload } = held.signal;
    if (failureBefore(held, definition)) return null;
    if (Date.now() >= deadlineMs || attempt > (definition.retry?.max_attempts ?? 1)) return null;
    const abort = new Abort();
    held.abort = abort;
    const endsAtMs = Math.min(deadlineMs, Date.now() + definition.timeoutMs);
    const context = handlerContext(this.options.context, held, { attempt, span, abort, endsAtMs });
    held.attempt = attempt;
    return this.options.strays.isTracking
      ? this.options.strays.track(definition.name, () =>
          runAttempt(definition, payload, context, { abort, deadlineMs }),
        )
      : runAttempt(definition, payload, context, { abort, deadlineMs });
  }

  /** The work was done in an earlier delivery whose acknowledgement was lost. */
  private dropFinished(held: Held, outcome: Outcome): void {
    acknowledge(held.msg);
    const { reply_to } = held.signal;
    if (reply_to) this.options.recorder.reply({ outcome, trace: held.trace ?? NO_TRACE, reply_to });
  }

  private tell({ signal_id, signal_type, trace_id, status, message: error }: Outcome, stack?: string): void {
    this.options.onAttempt(signal_type, status);
    if (stack) this.options.context.log.warn('attempt failed', { signal_id, trace_id, error, stack });
  }
}
