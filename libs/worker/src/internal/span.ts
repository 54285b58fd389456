import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { type SpanAttribute, type SpanAttributes, SPANS } from '@tps/contracts';
import type { SignalSpan, SignalTracer } from '@tps/telemetry';
import type { InFlightSignal } from './in-flight-signal';
import type { Conclusion } from './conclusion';

/** One span per attempt, child of the span that accepted the signal. */
export function startSpan(
  tracer: SignalTracer,
  { signal, trace, info, lane, attempt }: InFlightSignal,
): SignalSpan {
  const attributes: SpanAttributes = {
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
  return tracer.start(SPANS.worker, { kind: SpanKind.CONSUMER, attributes, keepErrors: true }, trace);
}

export function endSpan(span: SignalSpan, { status, success, message, errorClass }: Conclusion): void {
  span.setAttribute('tps.outcome.status' satisfies SpanAttribute, status);
  if (errorClass) span.setAttribute('error.type' satisfies SpanAttribute, errorClass);
  if (!success) span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.end();
}
