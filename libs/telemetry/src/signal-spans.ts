import { randomFillSync } from 'node:crypto';
import {
  type Attributes,
  type AttributeValue,
  diag,
  type Exception,
  INVALID_SPANID,
  isSpanContextValid,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  TraceFlags,
} from '@opentelemetry/api';
import { parseTraceParent, TraceState } from '@opentelemetry/core';
import type { SpanAttributes } from '@tps/contracts';
import { encodeSpan } from './otlp-json';

/** W3C trace context as it travels in message headers. */
export interface TraceHeaders {
  traceparent: string;
  tracestate?: string;
}

/** How a span starts. */
export interface SignalSpanOptions {
  kind: SpanKind;
  attributes: SpanAttributes;
  /** Milliseconds since 1970; now, when absent. */
  startMs?: number;
  /** Record it after all when it ends as an error, although its trace is not sampled. */
  keepErrors?: boolean;
  links?: Link[];
}

export interface SignalTracerOptions {
  /** Share of new traces that are recorded, 0 to 1. A continued trace keeps its caller's decision. */
  ratio: number;
  /** Takes a span as OTLP JSON. Without it no span is recorded, but ids are made and passed on. */
  export?: (span: string) => void;
}

/**
 * Starts the spans of a signal's way. There is one in every service for every signal, so they are written by hand: the
 * SDK's spans and their serialisation took a quarter of the fleet's processor time. They are ordinary spans of
 * the OpenTelemetry API, and parents for whatever the SDK records beside them.
 */
export class SignalTracer {
  constructor(private readonly options: SignalTracerOptions) {}

  /** @param parent the context to continue; absent or malformed, a new trace begins */
  start(name: string, options: SignalSpanOptions, parent?: Partial<TraceHeaders>): SignalSpan {
    const context = parent?.traceparent ? parseTraceParent(parent.traceparent) : null;
    const traceId = context?.traceId ?? randomHex(16);
    const sampled = context ? (context.traceFlags & TraceFlags.SAMPLED) !== 0 : this.samples(traceId);
    return new SignalSpan(name, options, {
      traceId,
      parentId: context?.spanId ?? '',
      tracestate: context ? parent?.tracestate : undefined,
      sampled: sampled && this.options.export !== undefined,
      export: this.options.export,
    });
  }

  private samples(traceId: string): boolean {
    return parseInt(traceId.slice(-8), 16) < this.options.ratio * 2 ** 32;
  }
}

interface Place {
  traceId: string;
  /** Empty: the root. */
  parentId: string;
  tracestate: string | undefined;
  sampled: boolean;
  export: ((span: string) => void) | undefined;
}

/** A handler that adds events in a loop must not fill the memory. */
const MAX_EVENTS = 128;

/** One span of a signal's way: a span of the OpenTelemetry API that encodes itself when it ends. */
export class SignalSpan implements Span {
  readonly kind: SpanKind;
  readonly attributes: Attributes;
  readonly events: { name: string; timeMs: number; attributes: Attributes }[] = [];
  readonly links: Link[];
  readonly startMs: number;
  readonly traceId: string;
  readonly parentId: string;
  readonly spanId = randomHex(8);
  status: SpanStatus = { code: SpanStatusCode.UNSET };
  endMs = 0;
  private sampled: boolean;

  constructor(
    public name: string,
    private readonly options: SignalSpanOptions,
    private readonly place: Place,
  ) {
    this.kind = options.kind;
    this.attributes = options.attributes;
    this.links = options.links ?? [];
    this.startMs = options.startMs ?? nowMs();
    this.traceId = place.traceId;
    this.parentId = place.parentId;
    this.sampled = place.sampled;
  }

  get tracestate(): string | undefined {
    return this.place.tracestate;
  }

  /** How a child elsewhere continues this trace. */
  get headers(): TraceHeaders {
    const traceparent = `00-${this.traceId}-${this.spanId}-${this.sampled ? '01' : '00'}`;
    return this.tracestate ? { traceparent, tracestate: this.tracestate } : { traceparent };
  }

  spanContext(): SpanContext {
    const { traceId, spanId, tracestate, sampled } = this;
    const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
    const context = { traceId, spanId, traceFlags };
    return tracestate ? { ...context, traceState: new TraceState(tracestate) } : context;
  }

  isRecording(): boolean {
    return this.endMs === 0 && (this.sampled || this.options.keepErrors === true);
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (this.isRecording()) this.attributes[key] = value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    if (this.isRecording()) Object.assign(this.attributes, attributes);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (!this.isRecording() || this.events.length >= MAX_EVENTS) return this;
    const bare = isTime(attributesOrTime);
    const at = bare ? attributesOrTime : time;
    const attributes = bare ? {} : (attributesOrTime ?? {});
    this.events.push({ name: String(name), attributes, timeMs: msOf(at) });
    return this;
  }

  addLink(link: Link): this {
    if (!this.isRecording() || this.links.length >= MAX_EVENTS) return this;
    if (isSpanContextValid(link.context)) this.links.push({ ...link, context: { ...link.context } });
    return this;
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (this.endMs !== 0 || !(status?.code in SpanStatusCode)) return this;
    const { code, message } = status;
    this.status = message === undefined ? { code } : { code, message: String(message) };
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.name = String(name);
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { name, message, stack } = typeof exception === 'string' ? new Error(exception) : exception;
    const attributes: Attributes = { 'exception.message': message, 'exception.stacktrace': stack };
    if (name) attributes['exception.type'] = name;
    this.addEvent('exception', attributes, time);
  }

  end(time?: TimeInput): void {
    if (this.endMs !== 0) return;
    const { keepErrors } = this.options;
    if (keepErrors && this.status.code === SpanStatusCode.ERROR && this.place.export) this.sampled = true;
    this.endMs = Math.max(this.startMs, msOf(time));
    if (!this.sampled) return;
    try {
      this.place.export?.(encodeSpan(this));
    } catch (error) {
      // Tracing must not fail what is traced, whatever a handler has put into its span.
      diag.error('a span could not be written', error);
    }
  }
}

const POOL_BYTES = 4_096;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/** Ids come from a pool of random bytes: a call for each of them costs more than the rest of a span. */
function randomHex(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString('hex', used, (used += bytes));
  // All zeros is no valid id. That will not happen, but it would be a riddle.
  return hex.startsWith(INVALID_SPANID) ? randomHex(bytes) : hex;
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function isTime(value: unknown): value is TimeInput {
  return typeof value === 'number' || value instanceof Date || Array.isArray(value);
}

/** Takes anything that is no time for now: a collector would refuse it, and with it the spans of others. */
function msOf(time: TimeInput | undefined): number {
  const ms = time === undefined ? NaN : millis(time);
  return Number.isFinite(ms) && ms >= 0 ? ms : nowMs();
}

function millis(time: TimeInput): number {
  if (time instanceof Date) return time.getTime();
  if (Array.isArray(time)) return time[0] * 1e3 + time[1] / 1e6;
  // As in the SDK: small numbers are on the clock of `performance.now()`.
  return time < performance.now() ? performance.timeOrigin + time : time;
}
