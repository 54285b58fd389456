import type { Registry } from 'prom-client';
import type { ServiceContext } from '@tps/service';
import type { Logger, SignalSpan } from '@tps/telemetry';
import type { LazyAbort } from './lazy-abort';
import type { HandlerContext, HandlerLog, PullOptions, SignalInfo } from '../definition';
import { Cord } from './cord';
import { HandlerSpan } from './handler-span';
import type { InFlightSignal } from './in-flight-signal';

/**
 * The context of one attempt. Makes log, span and AbortSignal only when the handler asks for them: few handlers do, and
 * a child logger costs as much as all the rest of a small attempt.
 */
export class AttemptContext implements HandlerContext {
  readonly signal: SignalInfo;
  readonly endsAtMs: number;
  readonly metrics: Registry;
  readonly #context: ServiceContext;
  /** A copy, because a handler may write to `signal`. */
  readonly #id: string;
  readonly #span: SignalSpan;
  readonly #abort: LazyAbort;

  constructor(context: ServiceContext, inFlight: InFlightSignal, span: SignalSpan, endsAtMs: number) {
    const { signal, attempt, epoch, abort } = inFlight;
    const { id, run, signal_type, priority, created_at } = signal;
    const { traceId: trace_id } = span;
    const trial = epoch !== undefined;
    this.signal = { id, run, attempt, trial, signal_type, priority, created_at, trace_id };
    this.endsAtMs = endsAtMs;
    this.metrics = context.registry;
    this.#context = context;
    this.#id = id;
    this.#span = span;
    this.#abort = abort;
  }

  get abort(): AbortSignal {
    return this.#abort.signal;
  }

  get log(): HandlerLog {
    return handlerLog(this.#context.log.child({ signal_id: this.#id, trace_id: this.#span.traceId }));
  }

  get span(): HandlerSpan {
    return new HandlerSpan(this.#span);
  }

  /** A getter that returns a bound function, so that handlers may destructure the context. */
  get andon(): HandlerContext['andon'] {
    const puller = { type: this.signal.signal_type, signalId: this.#id, traceId: this.#span.traceId };
    return (reason: string, options: PullOptions = {}) =>
      Cord.of(this.#context).pull(reason, options, puller);
  }
}

/** Lets a handler write lines only, because the logger can be closed and belongs to the whole process. */
function handlerLog(log: Logger): HandlerLog {
  const write =
    (level: keyof HandlerLog) =>
    (message: string, fields?: object): void => {
      try {
        log[level](message, fields);
      } catch (error) {
        // A getter of the fields threw. A log line must not fail the attempt.
        log.warn('a line of a handler cannot be written', { error });
      }
    };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    verbose: write('verbose'),
    debug: write('debug'),
  };
}
