import { type Attributes, type Link, type Span, trace, TraceFlags } from '@opentelemetry/api';
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
import { Counter, type Registry } from 'prom-client';
import { METRICS } from '@tps/contracts';
import { encodeAttributes } from './otlp-json';
import { SignalTracer, type TraceHeaders } from './signal-spans';
import { SpanExport, type SpanExportOptions } from './span-export';

/** The tracing of one process. */
export interface Tracing {
  /** For the spans of a signal's way. */
  tracer: SignalTracer;
  /** Spans that were recorded and not delivered. */
  readonly dropped: number;
  /** Sends what is buffered, within `limitMs`; a collector that is away costs no more. */
  shutdown(limitMs: number): Promise<void>;
}

const FLUSH_EVERY_MS = 250;
const EXPORT_TIMEOUT_MS = 5_000;

/** Attributes and destination of the spans of a process. */
export interface TracingOptions {
  /** Address of the collector, see `collectorUrl`. Empty: no span is recorded. */
  endpoint: string;
  /** Share of the traces to record, from 0 to 1. */
  ratio: number;
  /** Attributes of every span, as OpenTelemetry names them. */
  resource: Attributes;
  /** Called with a problem when spans cannot be delivered, and with null when they can be again. */
  onState: SpanExportOptions['onState'];
}

/**
 * Starts the tracer of a process, and beside it the SDK's provider for spans that handlers start with `trace.getTracer()`.
 * Without a collector nothing is recorded, but ids are made and passed on.
 */
export function startTracing({ endpoint, ratio, resource, onState }: TracingOptions): Tracing {
  const url = collectorUrl(endpoint);
  const provider = startSdk(url, ratio, resource);
  const spans = url
    ? new SpanExport({ url, resource: `{"attributes":${encodeAttributes(resource)}}`, onState })
    : null;
  return {
    tracer: new SignalTracer({ ratio, ...(spans ? { export: spans.add } : {}) }),
    get dropped() {
      return spans ? spans.dropped : 0;
    },
    shutdown: async (limitMs) => {
      const late = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref());
      const ended = Promise.all([provider.shutdown().catch(() => undefined), spans?.shutdown(limitMs)]);
      await Promise.race([ended, late]);
    },
  };
}

function startSdk(url: string | undefined, ratio: number, resource: Attributes): NodeTracerProvider {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes(resource),
    sampler: url
      ? new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) })
      : new AlwaysOffSampler(),
    spanProcessors: url ? [exportTo(url)] : [],
  });
  trace.setGlobalTracerProvider(provider);
  return provider;
}

function exportTo(url: string): SpanProcessor {
  return new BatchSpanProcessor(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS }), {
    scheduledDelayMillis: FLUSH_EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
}

/** Exposes the number of spans that were lost on the way to the collector. */
export function exposeDropped(registry: Registry, tracing: Tracing): void {
  new Counter({
    ...METRICS.spansDropped,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(tracing.dropped);
    },
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

/** Reads a caller's trace context and drops its unsound parts. Inside the fleet it is passed on as it is. */
export function callersTrace(
  traceparent: string | undefined,
  tracestate: string | undefined,
): Partial<TraceHeaders> {
  if (!traceparent) return {};
  const state = tracestate && new TraceState(tracestate).serialize();
  return state ? { traceparent, tracestate: state } : { traceparent };
}

/** The trace a `traceparent` names; undefined when it is missing or malformed. */
export function traceIdIn(traceparent: string | undefined): string | undefined {
  return (traceparent && parseTraceParent(traceparent)?.traceId) || undefined;
}

/** Links a span to the one before it, which has a trace of its own; empty when that context cannot be read. */
export function linksTo(traceparent: string | undefined): Link[] {
  const context = traceparent && parseTraceParent(traceparent);
  return context ? [{ context }] : [];
}

/** The headers that continue the trace of a span elsewhere. */
export function headersOf(span: Span): TraceHeaders {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const sampled = traceFlags & TraceFlags.SAMPLED ? '01' : '00';
  const traceparent = `00-${traceId}-${spanId}-${sampled}`;
  const tracestate = traceState?.serialize();
  return tracestate ? { traceparent, tracestate } : { traceparent };
}
