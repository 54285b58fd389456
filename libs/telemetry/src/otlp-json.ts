import { type Attributes, SpanStatusCode } from '@opentelemetry/api';
import type { SignalSpan } from './signal-spans';

/** The OTLP JSON of spans, written directly: objects for the serialiser would be more work than the spans. */

export function encodeSpan(span: SignalSpan): string {
  const { traceId, spanId, parentId, tracestate, name, kind, status, startMs, endMs, events, links } = span;
  let json = `{"traceId":"${traceId}","spanId":"${spanId}"`;
  if (parentId) json += `,"parentSpanId":"${parentId}"`;
  if (tracestate) json += `,"traceState":${JSON.stringify(tracestate)}`;
  // OTLP counts kinds from 1: 0 is "unspecified".
  json += `,"name":${JSON.stringify(name)},"kind":${kind + 1}`;
  json += `,"startTimeUnixNano":"${nanos(startMs)}","endTimeUnixNano":"${nanos(endMs)}"`;
  json += `,"attributes":${encodeAttributes(span.attributes)}`;
  if (events.length > 0) {
    const encoded = events.map(
      (event) =>
        `{"name":${JSON.stringify(event.name)},"timeUnixNano":"${nanos(event.timeMs)}",` +
        `"attributes":${encodeAttributes(event.attributes)}}`,
    );
    json += `,"events":[${encoded.join()}]`;
  }
  if (links.length > 0) {
    const encoded = links.map(
      ({ context, attributes }) =>
        `{"traceId":"${context.traceId}","spanId":"${context.spanId}","attributes":${encodeAttributes(attributes)}}`,
    );
    json += `,"links":[${encoded.join()}]`;
  }
  const { code, message } = status;
  const detail = message ? `,"message":${JSON.stringify(message)}` : '';
  const encoded = code === SpanStatusCode.UNSET ? '{}' : `{"code":${code}${detail}}`;
  return `${json},"status":${encoded}}`;
}

export function encodeAttributes(attributes: Attributes = {}): string {
  let json = '';
  for (const key in attributes) {
    const value = encodeValue(attributes[key]);
    if (value === undefined) continue;
    json += `${json ? ',' : ''}{"key":${keyOf(key)},"value":${value}}`;
  }
  return `[${json}]`;
}

/** Undefined for a value that is no attribute value: JavaScript callers pass anything, and the API ignores it. */
function encodeValue(value: unknown): string | undefined {
  if (!Array.isArray(value)) return encodeScalar(value);
  const items = value.map(encodeScalar).filter((item) => item !== undefined);
  return `{"arrayValue":{"values":[${items.join()}]}}`;
}

function encodeScalar(value: unknown): string | undefined {
  if (typeof value === 'string') return `{"stringValue":${JSON.stringify(value)}}`;
  if (typeof value === 'boolean') return `{"boolValue":${value}}`;
  if (typeof value !== 'number') return undefined;
  // Beyond it an integer may be too large for a collector's 64 bits.
  if (Number.isSafeInteger(value)) return `{"intValue":${value}}`;
  return Number.isFinite(value) ? `{"doubleValue":${value}}` : `{"stringValue":"${value}"}`;
}

const KEYS = new Map<string, string>();
const MAX_KEYS = 1_000;

/** There are few keys, and each is written thousands of times a second. */
function keyOf(key: string): string {
  const known = KEYS.get(key);
  if (known !== undefined) return known;
  const encoded = JSON.stringify(key);
  if (KEYS.size < MAX_KEYS) KEYS.set(key, encoded);
  return encoded;
}

/** Milliseconds as nanoseconds: more than a double can hold, so the digits are put together. */
function nanos(ms: number): string {
  const whole = Math.floor(ms);
  return `${whole}${String(Math.floor((ms - whole) * 1e6)).padStart(6, '0')}`;
}
