import { type Attributes, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { type SignalSpan, SignalTracer } from './signal-spans';
import { headersOf } from './tracing';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';

interface Exported extends Record<string, unknown> {
  spanId: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

function tracer(ratio = 1): { spans: Exported[]; tracer: SignalTracer } {
  const spans: Exported[] = [];
  return {
    spans,
    tracer: new SignalTracer({ ratio, export: (span) => spans.push(JSON.parse(span) as Exported) }),
  };
}
const start = (from: SignalTracer, parent?: object, attributes: Attributes = {}): SignalSpan =>
  from.start('worker.process', { kind: SpanKind.CONSUMER, attributes, keepErrors: true }, parent);

test('a span as OTLP JSON, with all that a handler may add to it', () => {
  const { spans, tracer: from } = tracer();
  const span = start(from, undefined, { text: 'a "b"\n', whole: 3, part: 0.5, yes: true, list: ['x', 'y'] });
  span.setAttribute('later', 1).setAttributes({ more: 'm' }).updateName('renamed');
  span.addEvent('bare', 1_700_000_000_000.5).addEvent('full', { n: 1 }, new Date(1_700_000_000_001));
  span.addLink({ context: { traceId: TRACE, spanId: CALLER, traceFlags: 1 }, attributes: { why: 'run 0' } });
  span.recordException(new TypeError('broken'));
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'broken' });
  span.end();
  span.setAttribute('too', 'late').end();
  expect(spans).toHaveLength(1);
  const [json] = spans as [Exported];
  expect(json).toMatchObject({
    traceId: span.traceId,
    name: 'renamed',
    kind: 5,
    status: { code: 2, message: 'broken' },
    links: [
      { traceId: TRACE, spanId: CALLER, attributes: [{ key: 'why', value: { stringValue: 'run 0' } }] },
    ],
  });
  expect(json.attributes).toEqual([
    { key: 'text', value: { stringValue: 'a "b"\n' } },
    { key: 'whole', value: { intValue: 3 } },
    { key: 'part', value: { doubleValue: 0.5 } },
    { key: 'yes', value: { boolValue: true } },
    { key: 'list', value: { arrayValue: { values: [{ stringValue: 'x' }, { stringValue: 'y' }] } } },
    { key: 'later', value: { intValue: 1 } },
    { key: 'more', value: { stringValue: 'm' } },
  ]);
  expect(json.events).toMatchObject([
    { name: 'bare', timeUnixNano: '1700000000000500000', attributes: [] },
    { name: 'full', timeUnixNano: '1700000000001000000' },
    { name: 'exception' },
  ]);
  expect(json).not.toHaveProperty('parentSpanId');
  expect(BigInt(json.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(json.startTimeUnixNano));
  expect(Math.abs(Number(json.startTimeUnixNano.slice(0, -6)) - Date.now())).toBeLessThan(1_000);
});

test('a trace is continued with its state, over headers and in process', () => {
  const { spans, tracer: from } = tracer();
  const span = start(from, { traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: 'a=1,b=2' });
  expect(span.headers).toEqual({ traceparent: `00-${TRACE}-${span.spanId}-01`, tracestate: 'a=1,b=2' });
  expect(headersOf(span)).toEqual(span.headers);
  expect(trace.isSpanContextValid(span.spanContext())).toBe(true);
  span.end();
  expect(spans[0]).toMatchObject({ traceId: TRACE, parentSpanId: CALLER, traceState: 'a=1,b=2' });
});

test.each([undefined, '', 'nonsense', '00-00000000000000000000000000000000-b7ad6b7169203331-01'])(
  'a malformed traceparent (%s) begins a new trace',
  (traceparent) => {
    const span = start(tracer().tracer, { traceparent, tracestate: 'a=1' });
    expect(span.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(span.parentId).toBe('');
    expect(span.headers).not.toHaveProperty('tracestate');
  },
);

test('the share of new traces that is recorded; a caller who decided is followed', () => {
  const { spans, tracer: from } = tracer(0.25);
  for (let i = 0; i < 4_000; i += 1) start(from).end();
  expect(spans.length).toBeGreaterThan(800);
  expect(spans.length).toBeLessThan(1_200);
  spans.length = 0;
  start(from, { traceparent: `00-${TRACE}-${CALLER}-01` }).end();
  start(from, { traceparent: `00-${TRACE}-${CALLER}-00` }).end();
  expect(spans).toHaveLength(1);
});

test('an error is recorded from here on, although its trace was not sampled', () => {
  const { spans, tracer: from } = tracer(0);
  const span = start(from, { traceparent: `00-${TRACE}-${CALLER}-00` });
  span.setAttribute('kept', true).setStatus({ code: SpanStatusCode.ERROR });
  expect(span.headers.traceparent).toMatch(/-00$/);
  span.end();
  expect(span.headers.traceparent).toMatch(/-01$/);
  expect(spans).toMatchObject([{ traceId: TRACE, attributes: [{ key: 'kept' }] }]);
  start(from).end();
  expect(spans).toHaveLength(1);
});

test('without a collector nothing is recorded, but every span has ids of its own', () => {
  const none = new SignalTracer({ ratio: 1 });
  const spans = Array.from({ length: 2_000 }, () => start(none));
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(2_000);
  expect(spans[0]?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  for (const span of spans) span.setStatus({ code: SpanStatusCode.ERROR }).end();
  expect(spans[0]?.headers.traceparent).toMatch(/-00$/);
});

test('values of the wrong type in a span do not keep it, or the spans sent with it, from being read', () => {
  const { spans, tracer: from } = tracer();
  const span = start(from);
  span.updateName(undefined as never).addEvent(undefined as never, NaN);
  span.addLink({ context: { traceId: '"', spanId: CALLER, traceFlags: 1 } });
  span.setStatus(null as never).setStatus({ code: SpanStatusCode.ERROR, message: 7 as never });
  span.end(new Date(NaN));
  expect(spans).toMatchObject([
    { name: 'undefined', status: { code: 2, message: '7' }, events: [{ name: 'undefined' }] },
  ]);
  expect(spans[0]).not.toHaveProperty('links');
  expect(spans[0]?.endTimeUnixNano).toMatch(/^\d{19}$/);
});
