import { type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { SPANS } from '@tps/contracts';
import { contextFrom } from '@tps/service';
import type { Held } from './held';
import type { Conclusion } from './outcome';

/** One span per attempt, child of the span that accepted the signal. */
export function startSpan(tracer: Tracer, { signal, trace, info, lane }: Held, attempt: number): Span {
  const attributes = {
    'messaging.system': 'nats',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': lane,
    'messaging.message.id': signal.id,
    'tps.signal.id': signal.id,
    'tps.signal.type': signal.signal_type,
    'tps.signal.priority': signal.priority,
    'tps.signal.run': signal.run,
    'tps.attempt': attempt,
    'tps.deliveries': info.deliveries,
  };
  const parent = contextFrom(trace?.traceparent, trace?.tracestate);
  return tracer.startSpan(SPANS.worker, { kind: SpanKind.CONSUMER, attributes }, parent);
}

export function endSpan(span: Span, { status, success, message, errorClass }: Conclusion): void {
  span.setAttribute('tps.outcome.status', status);
  if (errorClass) span.setAttribute('error.type', errorClass);
  if (!success) span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.end();
}
