import { RecordsUnavailableError } from '@tps/bus';
import { type Outcome, trialFromMs } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { describeThrown, type SignalSpan } from '@tps/telemetry';
import { LazyAbort } from './lazy-abort';
import { type AttemptResult, type CompiledDefinition, ReleasedError, runAttempt } from './attempt';
import { AttemptContext } from './context';
import { CapacityError } from '../failure';
import { releaseSignal, releaseFaulty, NO_TRACE, settleFault } from './release';
import { acknowledge, releaseDelayMs } from './acknowledgement';
import { deadlineOf, type InFlightSignal } from './in-flight-signal';
import type { Records } from './prior-attempts';
import { conclude, earlierFailure, outcomeOf } from './conclusion';
import type { LeaseTable } from './lease-table';
import type { Prefetch } from './prefetch';
import type { PendingOutcome, Recorder } from './recorder';
import { endSpan, startSpan } from './span';
import type { Strays } from './strays';
import { claimTrial, hasFailedBefore, notTriedMs } from './trial';

export interface ProcessorDeps {
  context: ServiceContext;
  definitions: ReadonlyMap<string, CompiledDefinition>;
  lines: LineView;
  recorder: Recorder;
  table: LeaseTable;
  records: Records;
  strays: Strays;
  onAttempt: (type: string, status: string) => void;
}

/** Finishes a signal, once its slot is free again. */
export type Afterwards = () => Promise<void>;

/** Delay of a signal that came after its line had stopped. */
const STOPPED_MS = 3_000;
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
    private readonly options: ProcessorDeps,
    private readonly prefetch: Prefetch,
  ) {}

  /** Rejects with an error for `afterError`. */
  async process(inFlight: InFlightSignal): Promise<Afterwards> {
    const { context, definitions, lines, records, recorder } = this.options;
    const { signal, info } = inFlight;
    const state = lines.state(signal.signal_type);
    if (state === 'Open') return () => releaseSignal(this.options, inFlight, STOPPED_MS);
    let attempt = 1;
    if (info.deliveries > 1 || inFlight.suspect) {
      const prior = await records.priorAttemptsOf(inFlight);
      if (prior.kind === 'finished') return async () => this.dropFinished(inFlight, prior.outcome);
      if (prior.kind === 'elsewhere') return async () => this.dropElsewhere(inFlight, prior.worker);
      attempt = prior.attempt;
      inFlight.last = prior.last;
    }
    const definition = definitions.get(signal.signal_type) as CompiledDefinition;
    const deadlineMs = deadlineOf(inFlight, lines);
    const isOver = isRunOver(inFlight, definition, { attempt, deadlineMs });
    if (state === 'HalfOpen' && !isOver && !(await this.isTrial(inFlight, attempt))) {
      const delayMs = notTriedMs(
        lines.circuit(signal.signal_type),
        inFlight.failedBefore ?? false,
        Date.now(),
      );
      return () => releaseSignal(this.options, inFlight, delayMs);
    }
    const startedMs = Date.now();
    const clock = performance.now();
    this.started += 1;
    const span = startSpan(context.tracer, inFlight, attempt);
    let result: AttemptResult | null;
    try {
      const ended = isOver ? null : this.attempt(inFlight, definition, { attempt, deadlineMs, span });
      result = ended instanceof Promise ? await ended : ended;
    } catch (error) {
      span.end();
      throw error;
    }
    const processMs = performance.now() - clock;
    if (result) this.prefetch.observe(signal.signal_type, processMs);
    if (result && !result.ok) inFlight.overrun = result.overrun;
    const overtaken = this.isOvertaken(inFlight);
    const nowMs = Date.now();
    const conclusion = conclude({ definition, inFlight, attempt, deadlineMs, result, overtaken, nowMs });
    if (!conclusion.final) inFlight.retryMs = conclusion.retryMs;
    const { instance: workerId } = context;
    const { traceId } = span;
    const outcome = outcomeOf(conclusion, { inFlight, workerId, startedMs, processMs, traceId });
    endSpan(span, conclusion);
    // Read after the end of the span: a failure is traced from here on, even in a trace that was not sampled.
    const trace = span.headers;
    this.tell(outcome, conclusion.stack);
    const { json: resultJson } = conclusion;
    const recorded: PendingOutcome =
      resultJson === undefined ? { outcome, trace } : { outcome, trace, resultJson };
    if (signal.reply_to) recorded.reply_to = signal.reply_to;
    return () => recorder.settle(inFlight, conclusion, recorded);
  }

  /** Decides how a signal goes on when `process` has rejected. Never throws. */
  afterError(inFlight: InFlightSignal, error: unknown): Afterwards {
    const { log } = this.options.context;
    const { id: signal_id, signal_type } = inFlight.signal;
    if (error instanceof ReleasedError) return () => releaseSignal(this.options, inFlight, 0);
    if (error instanceof CapacityError) return this.noRoom(inFlight, error);
    if (error instanceof RecordsUnavailableError) {
      log.warn('handed back', { signal_id, error });
      return () => releaseSignal(this.options, inFlight, releaseDelayMs(inFlight));
    }
    log.error('fault in the worker', { signal_id, signal_type, error });
    const { attempt } = inFlight;
    if (attempt === undefined) return () => releaseFaulty(this.options, inFlight, error);
    const message = `the worker failed to account for this attempt: ${describeThrown(error).message}`;
    return () => settleFault(this.options, inFlight, attempt, message);
  }
  /** The signal comes back no later than its deadline, so that it expires in time. */
  private noRoom(inFlight: InFlightSignal, { message }: CapacityError): Afterwards {
    const { lines, onAttempt } = this.options;
    inFlight.noRoom = message;
    onAttempt(inFlight.signal.signal_type, 'returned');
    const leftMs = Math.max(1, deadlineOf(inFlight, lines) - Date.now());
    const delayMs = Math.min(releaseDelayMs(inFlight, ROOM_MS), Math.max(ROOM_MS, leftMs / PARTS), leftMs);
    return () => releaseSignal(this.options, inFlight, delayMs);
  }

  /** Claims the trial of a stopped line for this signal. */
  private async isTrial(inFlight: InFlightSignal, attempt: number): Promise<boolean> {
    const { context, lines } = this.options;
    const { signal_type: type } = inFlight.signal;
    const failedBefore = hasFailedBefore(inFlight, attempt);
    inFlight.failedBefore = failedBefore;
    const circuit = lines.circuit(type);
    // jidoka would refuse: most of what comes here failed before while the line waits for something else to try.
    if (circuit && trialFromMs(circuit, failedBefore) > Date.now()) return false;
    const epoch = await claimTrial(context, type, failedBefore);
    if (epoch !== null) inFlight.epoch = epoch;
    return epoch !== null;
  }

  /** Another signal has become the trial, or has decided, while this one ran. */
  private isOvertaken({ epoch, signal }: InFlightSignal): boolean {
    return epoch !== undefined && (this.options.lines.circuit(signal.signal_type)?.epoch ?? 0) > epoch;
  }

  private attempt(
    inFlight: InFlightSignal,
    definition: CompiledDefinition,
    { attempt, deadlineMs, span }: { attempt: number; deadlineMs: number; span: SignalSpan },
  ): AttemptResult | Promise<AttemptResult> {
    const { payload } = inFlight.signal;
    const { strays, table } = this.options;
    const abort = new LazyAbort();
    inFlight.abort = abort;
    const endsAtMs = Math.min(deadlineMs, Date.now() + definition.timeoutMs);
    const context = new AttemptContext(this.options.context, inFlight, { attempt, span, abort, endsAtMs });
    inFlight.attempt = attempt;
    table.start(inFlight.entry, endsAtMs);
    try {
      return strays.isTracking
        ? strays.track(definition.name, () => runAttempt(definition, payload, context, { abort, deadlineMs }))
        : runAttempt(definition, payload, context, { abort, deadlineMs });
    } finally {
      table.pause();
    }
  }

  /** Drops a delivery without an answer, because the other worker answers both. If that dies, the signal comes again. */
  private dropElsewhere({ signal }: InFlightSignal, worker: string): void {
    this.options.context.log.warn('not run here, because another worker has it', {
      signal_id: signal.id,
      signal_type: signal.signal_type,
      worker,
    });
  }

  /** The work was done in an earlier delivery whose acknowledgement was lost. */
  private dropFinished(inFlight: InFlightSignal, outcome: Outcome): void {
    acknowledge(inFlight);
    const { reply_to } = inFlight.signal;
    if (reply_to) this.options.recorder.reply({ outcome, trace: inFlight.trace ?? NO_TRACE, reply_to });
  }

  private tell({ signal_id, signal_type, trace_id, status, message: error }: Outcome, stack?: string): void {
    this.options.onAttempt(signal_type, status);
    if (stack) this.options.context.log.warn('attempt failed', { signal_id, trace_id, error, stack });
  }
}

/** Tells whether the run ends without another attempt: it is too late, or its attempts are used up. */
function isRunOver(
  inFlight: InFlightSignal,
  definition: CompiledDefinition,
  { attempt, deadlineMs }: { attempt: number; deadlineMs: number },
): boolean {
  if (earlierFailure(inFlight, definition)) return true;
  return Date.now() >= deadlineMs || attempt > definition.retry.max_attempts;
}
