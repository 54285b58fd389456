import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { MAX_BODY_BYTES } from '@tps/contracts';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { handlerContext } from './context.fixture';
import type { HttpAnswer } from './http-answer';
import { HttpTask } from './http-task';

const JSON_TYPE = 'application/json';

/** A host that answers 200, and then anything. */
describe('an answer to a delivery', () => {
  let server: Server;
  let task: HttpTask;
  let url: string;
  let answer: (socket: Socket) => void;

  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => answer(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    url = `http://${host}/`;
    task = new HttpTask({ allowlist: host, slots: 4, registry: new Registry(), onCircuit: () => undefined });
  });
  afterAll(async () => {
    task.close();
    await new Promise((resolve) => server.close(resolve));
  });

  const deliver = (headers: Record<string, string>, body: string | Uint8Array): Promise<HttpAnswer> => {
    const lines = Object.entries({ connection: 'close', ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\n`);
      socket.end(body);
    };
    return task.run({ url }, handlerContext()) as Promise<HttpAnswer>;
  };
  const json = (body: string | Uint8Array): Promise<HttpAnswer> =>
    deliver({ 'content-type': JSON_TYPE }, body);
  const written = (result: unknown): number => Buffer.byteLength(JSON.stringify(result));

  test.each([
    ['deep arrays', '['.repeat(30_000) + ']'.repeat(30_000), 'nested deeper than 100 levels'],
    ['deep objects', '{"a":'.repeat(101) + '1' + '}'.repeat(101), 'nested deeper than 100 levels'],
    ['numbers that grow', `[${Array(13_000).fill('1e20').join()}]`, 'more than double'],
    ['an integer that no double holds', '{"id":9007199254740993}', '/id is a number that no double holds'],
    ['a long integer that JSON.stringify would change', '[12345678901234567890123]', '/0 is a number'],
    ['a number beyond all doubles', '-1e999', 'it is a number that no double holds'],
    ['a key twice', '{"a":{"b":1,"b":2}}', 'it has /a/b twice'],
    ['broken JSON', '{"a":', 'it is no JSON'],
  ])('with %s stays text, with a note', async (_, body, why) => {
    const result = await json(body);
    expect(result).toMatchObject({ status: 200, body, note: expect.stringContaining(why) as string });
    expect(result).not.toHaveProperty('truncated');
  });

  test.each([
    ['usual values', '{"a":[1,-2.5e3,0.1,"x",null,true],"9007199254740993":"9007199254740993"}'],
    ['nesting within the limit', '['.repeat(100) + ']'.repeat(100)],
    ['brackets in strings', JSON.stringify(['['.repeat(1_000), '"}', '\\'.repeat(1_001)])],
    ['the largest safe integers', '[9007199254740991,-9007199254740991,9007199254740992]'],
    [
      'keys with a meaning in JavaScript',
      '{"__proto__":{"x":1},"constructor":{"prototype":{}},"toString":1}',
    ],
    ['control characters and lone surrogates', '["\\u0000\\u001f\\ud800","\\udfff\\u2028"]'],
  ])('with %s is read', async (_, body) => {
    const result = await json(body);
    expect(result).not.toHaveProperty('note');
    expect(JSON.stringify(result.body)).toBe(JSON.stringify(JSON.parse(body)));
  });

  test.each([
    ['gzip', gzipSync('{"a":1}')],
    ['x-gzip', gzipSync('{"a":1}')],
    ['DEFLATE', deflateSync('{"a":1}')],
  ])('in %s is decoded', async (coding, body) => {
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': coding };
    expect(await deliver(headers, body)).toMatchObject({ body: { a: 1 } });
  });

  test('without a body has no note, whatever its header says', async () => {
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip', 'content-length': '0' };
    expect(await deliver(headers, '')).toEqual({
      ...{ status: 200, headers: { 'content-type': JSON_TYPE }, body: null },
    });
    answer = (socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\n\r\n');
    expect(await task.run({ url, method: 'HEAD' }, handlerContext())).toEqual({
      ...{ status: 200, headers: {}, body: null },
    });
  });

  test('that is a bomb, or not in its coding, is cut', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const gzip = { 'content-encoding': 'gzip' };
    expect(await deliver(gzip, bomb)).toMatchObject({ encoding: 'base64', truncated: true });
    expect(await deliver(gzip, 'plain')).toMatchObject({
      ...{ body: null, truncated: true },
      note: 'the answer broke off: incorrect header check',
    });
  });

  test('in an unknown coding, or in several, is kept as it came', async () => {
    for (const coding of ['zstd', 'gzip, gzip', Array(50).fill('gzip').join()]) {
      expect(await deliver({ 'content-encoding': coding }, 'as it came')).toEqual({
        ...{ status: 200, headers: {}, body: 'as it came' },
        note: `content-encoding ${coding.slice(0, 30)} is not decoded`,
      });
    }
  });

  test('with any bytes after a successful header is a success that can be recorded', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 4_096 }),
      fc.string({ unit: 'binary', maxLength: 2_000 }).map((text) => Buffer.from(text)),
      fc.json({ maxDepth: 8 }).map((text) => Buffer.from(text)),
      fc
        .tuple(fc.constantFrom('[', '{"a":', '"\\', '1e20,', '\u0000', '"', '\u0085'), fc.nat(70_000))
        .map(([piece, times]) => Buffer.from(piece.repeat(times).slice(0, 70_000))),
      fc.uint8Array({ maxLength: 1_000 }).map((raw) => gzipSync(raw)),
    );
    const headers = fc.record(
      {
        'content-type': fc.constantFrom(
          JSON_TYPE,
          'application/problem+json',
          'text/plain',
          'image/png',
          '/json',
        ),
        'content-encoding': fc.constantFrom('gzip', 'deflate', 'br', 'identity', 'gzip, br', 'x'),
        'content-length': fc.nat(80_000).map(String),
        etag: fc.string({ unit: fc.constantFrom('"', '\\', 'a', '\u00ff'), maxLength: 3_000 }),
      },
      { requiredKeys: [] },
    );
    const framing = fc.constantFrom<Record<string, string>>({}, {}, { 'transfer-encoding': 'chunked' });
    await fc.assert(
      fc.asyncProperty(headers, framing, bytes, async (some, framed, body) => {
        const { 'content-length': length, ...rest } = some;
        const all = 'transfer-encoding' in framed || !length ? { ...rest, ...framed } : some;
        const result = await deliver(all, body);
        expect(result.status).toBe(200);
        expect(written(result)).toBeLessThan(MAX_BODY_BYTES);
        expect(JSON.parse(JSON.stringify(result))).toEqual(result);
      }),
      { numRuns: 300 },
    );
  });
});
