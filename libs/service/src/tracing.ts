import { type Context, ROOT_CONTEXT, type Span, trace, TraceFlags, type Tracer } from '@opentelemetry/api';
import { parseTraceParent, TraceState } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { CommonConfig } from './config';

export interface Tracing {
  tracer: Tracer;
  /** Sends what is buffered, within `limitMs`; a collector that is away costs no more. */
  shutdown(limitMs: number): Promise<void>;
}

const FLUSH_EVERY_MS = 250;
const EXPORT_TIMEOUT_MS = 5_000;
/** Spans kept while the collector is slow or away; more are dropped, work is never held up. */
const QUEUE_SPANS = 8_192;

/** One tracer per process. Without a `JAEGER_ENDPOINT` nothing is recorded, but ids are made and passed on. */
export function startTracing(service: string, instance: string, config: CommonConfig): Tracing {
  const url = collectorUrl(config.JAEGER_ENDPOINT);
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      ...tags(config.JAEGER_TAGS),
      'service.name': service,
      'service.instance.id': instance,
      'service.namespace': config.APP_NAME,
      'deployment.environment.name': config.APP_ENVIRONMENT,
    }),
    sampler: url
      ? new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.TPS_TRACE_SAMPLE) })
      : new AlwaysOffSampler(),
    spanProcessors: url ? [exportTo(url)] : [],
  });
  return {
    tracer: provider.getTracer('tps'),
    shutdown: async (limitMs) => {
      const late = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
    },
  };
}

function exportTo(url: string): SpanProcessor {
  return new BatchSpanProcessor(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS }), {
    maxQueueSize: QUEUE_SPANS,
    maxExportBatchSize: 512,
    scheduledDelayMillis: FLUSH_EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
}

/**
 * Jaeger's own collector endpoint (`:14268/api/traces`, what older clients spoke) is taken for its OTLP one; a bare
 * host gets the OTLP path.
 */
export function collectorUrl(endpoint: string): string | undefined {
  if (!endpoint) return undefined;
  const url = new URL(endpoint);
  if (url.port === '14268') url.port = '4318';
  if (url.pathname === '/api/traces' || url.pathname === '/') url.pathname = '/v1/traces';
  return url.toString();
}

function tags(list: string): Record<string, string> {
  const pairs = list.split(',').filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** W3C trace context as it travels in message headers. */
export interface TraceHeaders {
  traceparent: string;
  tracestate?: string;
}

/** The context to start a child in; a missing or malformed `traceparent` starts a new trace. */
export function contextFrom(traceparent: string | undefined, tracestate?: string): Context {
  const parent = traceparent ? parseTraceParent(traceparent) : null;
  if (!parent) return ROOT_CONTEXT;
  const state = tracestate ? { traceState: new TraceState(tracestate) } : {};
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, ...state, isRemote: true });
}

export function headersOf(span: Span): TraceHeaders {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const sampled = traceFlags & TraceFlags.SAMPLED ? '01' : '00';
  const traceparent = `00-${traceId}-${spanId}-${sampled}`;
  const tracestate = traceState?.serialize();
  return tracestate ? { traceparent, tracestate } : { traceparent };
}
