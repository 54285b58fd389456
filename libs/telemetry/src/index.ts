export { createLogger, type Logger } from './logger';
export { redactUrlList, redactUrls } from './redact';
export { SignalSpan, type SignalSpanOptions, SignalTracer, type TraceHeaders } from './signal-spans';
export { describeThrown, isError, lineage, readSafely, type Thrown } from './thrown';
export {
  callersTrace,
  collectorUrl,
  exposeDropped,
  headersOf,
  linksTo,
  startTracing,
  traceIdIn,
  type Tracing,
  type TracingOptions,
} from './tracing';
