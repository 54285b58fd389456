import { RecordsUnavailableError } from '@tps/bus';
import { trialFromMs } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import { CapacityError } from '../failure';
import { acknowledge, releaseDelayMs } from './acknowledgement';
import { type AttemptResult, ReleasedError, runAttempt } from './attempt';
import { conclude, isRunOver, outcomeOf } from './conclusion';
import { AttemptContext } from './context';
import { deadlineOf, type InFlightSignal } from './in-flight-signal';
import type { LeaseTable } from './lease-table';
import { type PastSources, type PriorAttempts, priorAttemptsOf } from './prior-attempts';
import { type PendingOutcome, pendingOutcome } from './recorder';
import { recordFault, type ReleaseDeps, releaseSignal } from './release';
import type { Slots } from './slots';
import { endSpan, startSpan } from './span';
import type { Strays } from './strays';
import { claimTrial, hasFailedBefore, notTriedMs } from './trial';

export interface PipelineDeps extends ReleaseDeps, PastSources {
  lines: LineView;
  table: LeaseTable;
  strays: Strays;
  onAttempt: (type: string, status: string) => void;
}

/** How a signal leaves its slot. `fault`: the worker itself failed. */
type Ending =
  | { kind: 'concluded'; pending: PendingOutcome }
  | { kind: 'released'; delayMs: number }
  | { kind: 'fault'; error: unknown }
  | Exclude<PriorAttempts, { kind: 'run' }>;

/** Delay of a signal that came after its line had stopped. */
const STOPPED_MS = 3_000;
/** Threads and connections are usually taken for moments only. */
const ROOM_MS = 250;
/** A signal without room waits for at most one eighth of its remaining time, so that its last chance comes late. */
const PARTS = 8;

/**
 * Takes signals through their slots, from the first look at the records to the acknowledgement.
 *
 * Every start of a handler leads to exactly one record. attempt.ts turns everything that a handler throws, returns or
 * does to its context into the result of the attempt. A failure of the worker itself is recorded as a defect if the
 * handler had started; before the start, it releases the signal a bounded number of times.
 */
export class Pipeline {
  started = 0;
  /** By type: when a handler was last started. */
  readonly lastStartMs = new Map<string, number>();

  /** @param onDone called when nothing of the signal is left to do here */
  constructor(
    private readonly deps: PipelineDeps,
    private readonly slots: Slots,
    private readonly onDone: (inFlight: InFlightSignal) => void,
  ) {}

  /** Runs all steps for one signal. A step that keeps the signal from running returns its ending. Never rejects. */
  async run(inFlight: InFlightSignal): Promise<void> {
    this.slots.take(inFlight);
    let ending: Ending;
    try {
      ending =
        (mayHaveRun(inFlight) ? await this.inspect(inFlight) : null) ??
        this.admit(inFlight) ??
        (this.needsTrial(inFlight) ? await this.claimTrial(inFlight) : null) ??
        this.conclude(inFlight, await this.execute(inFlight));
    } catch (error) {
      ending = this.endingAfter(inFlight, error);
    }
    this.slots.leave(inFlight);
    await this.record(inFlight, ending);
    this.onDone(inFlight);
  }

  /** Reads what earlier deliveries did. @throws RecordsUnavailableError */
  private async inspect(inFlight: InFlightSignal): Promise<Ending | null> {
    const prior = await priorAttemptsOf(inFlight, this.deps);
    if (prior.kind !== 'run') return prior;
    inFlight.attempt = prior.attempt;
    inFlight.last = prior.last;
    inFlight.isInspected = true;
    return null;
  }

  /** Releases a signal whose line is stopped, and looks whether there is time and an attempt left. */
  private admit(inFlight: InFlightSignal): Ending | null {
    const { lines } = this.deps;
    if (lines.state(inFlight.signal.signal_type) === 'Open') return { kind: 'released', delayMs: STOPPED_MS };
    inFlight.deadlineMs = deadlineOf(inFlight, lines);
    inFlight.isOver = isRunOver(inFlight, Date.now());
    return null;
  }

  private needsTrial({ signal, isOver }: InFlightSignal): boolean {
    return !isOver && this.deps.lines.state(signal.signal_type) === 'HalfOpen';
  }

  /** Claims the trial of a half-open line, or releases the signal until it may be tried. */
  private async claimTrial(inFlight: InFlightSignal): Promise<Ending | null> {
    const { context, lines } = this.deps;
    const { signal_type: type } = inFlight.signal;
    const failedBefore = hasFailedBefore(inFlight);
    inFlight.failedBefore = failedBefore;
    const circuit = lines.circuit(type);
    // jidoka would refuse: most signals here failed before while the line waits for another one to try.
    const isTooEarly = circuit !== undefined && trialFromMs(circuit, failedBefore) > Date.now();
    const epoch = isTooEarly ? null : await claimTrial(context, type, failedBefore);
    if (epoch === null) {
      return { kind: 'released', delayMs: notTriedMs(lines.circuit(type), failedBefore, Date.now()) };
    }
    inFlight.epoch = epoch;
    return null;
  }

  /** Starts the handler, unless the run is over. @throws ReleasedError, CapacityError */
  private execute(inFlight: InFlightSignal): AttemptResult | null | Promise<AttemptResult> {
    const { context, strays, table } = this.deps;
    const { definition, signal, abort } = inFlight;
    if (abort.reason) throw abort.reason;
    inFlight.startedMs = Date.now();
    inFlight.startedClockMs = performance.now();
    this.started += 1;
    inFlight.span = startSpan(context.tracer, inFlight);
    if (inFlight.isOver) return null;
    this.lastStartMs.set(signal.signal_type, inFlight.startedMs);
    const endsAtMs = Math.min(inFlight.deadlineMs, Date.now() + definition.timeoutMs);
    const attempt = new AttemptContext(context, inFlight, inFlight.span, endsAtMs);
    inFlight.hasStarted = true;
    table.start(inFlight.entry, endsAtMs);
    try {
      return strays.isTracking
        ? strays.track(definition.name, () => runAttempt(definition, signal.payload, attempt, inFlight))
        : runAttempt(definition, signal.payload, attempt, inFlight);
    } finally {
      table.pause();
    }
  }

  /** Decides what follows from the attempt, and builds its outcome. */
  private conclude(inFlight: InFlightSignal, result: AttemptResult | null): Ending {
    const { context, onAttempt } = this.deps;
    const { startedClockMs = 0, span, signal } = inFlight;
    inFlight.processMs = performance.now() - startedClockMs;
    if (result) this.slots.observe(inFlight);
    if (result && !result.ok) inFlight.overrun = result.overrun;
    const overtaken = this.isOvertaken(inFlight);
    const conclusion = conclude({ inFlight, result, overtaken, nowMs: Date.now() });
    if (!conclusion.final) inFlight.retryMs = conclusion.retryMs;
    const outcome = outcomeOf(conclusion, inFlight, context.instance);
    if (span) endSpan(span, conclusion);
    onAttempt(signal.signal_type, outcome.status);
    const { json, stack } = conclusion;
    if (stack) {
      const { signal_id, trace_id, message: error } = outcome;
      context.log.warn('attempt failed', { signal_id, trace_id, error, stack });
    }
    return { kind: 'concluded', pending: pendingOutcome(inFlight, outcome, json) };
  }

  /** Another signal has become the trial, or has decided, while this one ran. */
  private isOvertaken({ epoch, signal }: InFlightSignal): boolean {
    return epoch !== undefined && (this.deps.lines.circuit(signal.signal_type)?.epoch ?? 0) > epoch;
  }

  /** Decides how a signal leaves its slot when a step threw. Never throws. */
  private endingAfter(inFlight: InFlightSignal, error: unknown): Ending {
    const { log } = this.deps.context;
    const { id: signal_id, signal_type } = inFlight.signal;
    inFlight.span?.end();
    if (error instanceof ReleasedError) return { kind: 'released', delayMs: 0 };
    if (error instanceof CapacityError) return this.noRoom(inFlight, error);
    if (error instanceof RecordsUnavailableError) {
      log.warn('released, because the records do not answer', { signal_id, error });
      return { kind: 'released', delayMs: releaseDelayMs(inFlight) };
    }
    log.error('fault in the worker', { signal_id, signal_type, error });
    return { kind: 'fault', error };
  }

  /** The signal comes back no later than its deadline, so that it expires in time. */
  private noRoom(inFlight: InFlightSignal, { message }: CapacityError): Ending {
    const { lines, onAttempt } = this.deps;
    inFlight.noRoom = message;
    onAttempt(inFlight.signal.signal_type, 'returned');
    const leftMs = Math.max(1, deadlineOf(inFlight, lines) - Date.now());
    const longestMs = Math.min(Math.max(ROOM_MS, leftMs / PARTS), leftMs);
    return { kind: 'released', delayMs: Math.min(releaseDelayMs(inFlight, ROOM_MS), longestMs) };
  }

  /** Makes the ending durable, and only then answers the broker for the message. Never rejects. */
  private async record(inFlight: InFlightSignal, ending: Ending): Promise<void> {
    const { context, recorder } = this.deps;
    const { id: signal_id, signal_type } = inFlight.signal;
    try {
      switch (ending.kind) {
        case 'concluded':
          return await recorder.settle(inFlight, ending.pending);
        case 'released':
          return await releaseSignal(this.deps, inFlight, ending.delayMs);
        case 'fault':
          return await recordFault(this.deps, inFlight, ending.error);
        case 'finished':
          // The acknowledgement of the delivery in which the work was done was lost.
          acknowledge(inFlight);
          return recorder.reply(pendingOutcome(inFlight, ending.outcome));
        case 'elsewhere': {
          // The other worker answers for both deliveries. If it dies, the signal comes again.
          const { worker } = ending;
          context.log.warn('not run here, because another worker has it', { signal_id, signal_type, worker });
        }
      }
    } catch (error) {
      // The lease ends, and the next worker looks the signal up in the records.
      context.log.error('outcome not recorded', { signal_id, error });
    }
  }
}

/** Tells whether the records must be asked before the signal runs. The ordinary signal is spared that. */
function mayHaveRun({ info, suspect }: InFlightSignal): boolean {
  return info.deliveries > 1 || suspect;
}
