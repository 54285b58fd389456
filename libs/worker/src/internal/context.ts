import type { Logger, ServiceContext, SignalSpan } from '@tps/service';
import type { LazyAbort } from './lazy-abort';
import type { HandlerContext, HandlerLog } from '../definition';
import { HandlerSpan } from './handler-span';
import type { InFlightSignal } from './in-flight-signal';

export function handlerContext(
  { log, registry }: ServiceContext,
  { signal, epoch }: InFlightSignal,
  {
    attempt,
    span,
    abort,
    endsAtMs,
  }: { attempt: number; span: SignalSpan; abort: LazyAbort; endsAtMs: number },
): HandlerContext {
  const trace_id = span.traceId;
  const { id, run, signal_type, priority, created_at } = signal;
  const trial = epoch !== undefined;
  return {
    signal: { id, run, attempt, trial, signal_type, priority, created_at, trace_id },
    endsAtMs,
    get abort() {
      return abort.signal;
    },
    // Few handlers log, and a child costs as much as a small handler's whole work.
    get log() {
      return handlerLog(log.child({ signal_id: id, trace_id }));
    },
    get span() {
      return new HandlerSpan(span);
    },
    metrics: registry,
  };
}

/** Writes lines and nothing else: the logger itself can be closed, and belongs to the whole process. */
function handlerLog(log: Logger): HandlerLog {
  const write =
    (level: keyof HandlerLog) =>
    (message: string, fields?: object): void => {
      try {
        log[level](message, fields);
      } catch (error) {
        // A getter of the fields threw. A line is no reason to fail the work that it tells of.
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
