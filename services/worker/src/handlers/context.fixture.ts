import { trace } from '@opentelemetry/api';
import type { HandlerContext } from '@tps/worker';

export const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
export const SPAN_ID = 'b7ad6b7169203331';

/** The parts of a handler's context that the built-in handlers use. */
export function handlerContext(
  abort: AbortSignal = new AbortController().signal,
  trial = false,
): HandlerContext {
  const span = trace.wrapSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 });
  const signal = { id: 'signal-1', run: 0, attempt: 1, trial, trace_id: TRACE_ID };
  return { signal, abort, span, endsAtMs: Date.now() + 30_000 } as unknown as HandlerContext;
}
