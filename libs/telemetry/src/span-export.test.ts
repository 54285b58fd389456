import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@tps/testkit';
import { SpanExport } from './span-export';

/** A collector that keeps what comes and answers as it is told. */
async function startCollector(): Promise<{
  url: string;
  server: Server;
  bodies: string[];
  answer: { status: number };
}> {
  const bodies: string[] = [];
  const answer = { status: 200 };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      bodies.push(body);
      response.writeHead(answer.status).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    server,
    bodies,
    answer,
  };
}

function spansOf(body: string): number {
  const { resourceSpans } = JSON.parse(body) as { resourceSpans: [{ scopeSpans: [{ spans: object[] }] }] };
  return resourceSpans[0].scopeSpans[0].spans.length;
}

let collector: Awaited<ReturnType<typeof startCollector>>;
beforeEach(async () => (collector = await startCollector()));
afterEach(() => {
  collector.server.closeAllConnections();
  collector.server.close();
});

function exportTo(url: string): { states: (string | null)[]; spans: SpanExport } {
  const states: (string | null)[] = [];
  const resource = '{"attributes":[]}';
  return { states, spans: new SpanExport({ url, resource, onState: (problem) => states.push(problem) }) };
}

test('spans gather and leave together, with the resource', async () => {
  const { spans } = exportTo(collector.url);
  spans.add('{"name":"a"}');
  spans.add('{"name":"b"}');
  await waitFor('the request', () => collector.bodies.length > 0);
  expect(JSON.parse(collector.bodies[0]!)).toEqual({
    resourceSpans: [
      {
        resource: { attributes: [] },
        scopeSpans: [{ scope: { name: 'tps' }, spans: [{ name: 'a' }, { name: 'b' }] }],
      },
    ],
  });
  await spans.shutdown(1_000);
});

/** A kilobyte, so that 1,023 of them fit into a request. */
const LARGE = JSON.stringify({ name: 'x'.repeat(1_012) });

test('all spans that fit into one request leave at once', async () => {
  const { spans } = exportTo(collector.url);
  const began = Date.now();
  for (let i = 0; i < 1_024; i += 1) spans.add(LARGE);
  await waitFor('the full request', () => collector.bodies.length === 1, { everyMs: 5 });
  expect(Date.now() - began).toBeLessThan(450);
  await spans.shutdown(1_000);
  expect(collector.bodies.map(spansOf)).toEqual([1_023, 1]);
});

test('a character of several bytes counts as such, and a span that fits nowhere is dropped', async () => {
  const { spans } = exportTo(collector.url);
  spans.add(JSON.stringify({ name: '\u8eca'.repeat(340_000) }));
  spans.add(JSON.stringify({ name: '\u8eca'.repeat(20_000) }));
  spans.add(JSON.stringify({ name: '\u8eca'.repeat(350_000) }));
  await spans.shutdown(1_000);
  expect(collector.bodies.map(spansOf)).toEqual([1, 1]);
  expect(spans.dropped).toBe(1);
});

test('the remaining spans are sent at the end', async () => {
  const { spans } = exportTo(collector.url);
  for (let i = 0; i < 3_000; i += 1) spans.add(LARGE);
  await spans.shutdown(5_000);
  expect(collector.bodies.map(spansOf)).toEqual([1_023, 1_023, 954]);
});

test('an outage is told once, costs the spans of its time, and ends', async () => {
  const { spans, states } = exportTo(collector.url);
  collector.answer.status = 503;
  spans.add('{"lost":1}');
  await waitFor('the refusal', () => states.length === 1);
  spans.add('{"lost":2}');
  await waitFor('a second refusal', () => spans.dropped === 2);
  collector.answer.status = 200;
  spans.add('{"kept":1}');
  await waitFor('the recovery', () => states.length === 2);
  expect(states).toEqual(['the collector answered 503', null]);
  expect(collector.bodies.at(-1)).toContain('kept');
  await spans.shutdown(1_000);
});

test('a collector that is away bounds the memory and does not hold up the end', async () => {
  const { spans } = exportTo('http://127.0.0.1:1/v1/traces');
  for (let i = 0; i < 10_000; i += 1) spans.add(LARGE);
  // One request is under way, six wait.
  expect(spans.dropped).toBe(10_000 - 7 * 1_023);
  const began = Date.now();
  await spans.shutdown(3_000);
  expect(Date.now() - began).toBeLessThan(2_500);
});
