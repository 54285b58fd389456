import { request as httpRequest } from 'node:http';
import type { ApiErrorCode } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { type GatewayHarness, startGateway } from '../testing/harness';

interface Case {
  name: string;
  body?: string | Buffer;
  headers?: Record<string, string | string[]>;
  query?: string;
  status: number;
  code: ApiErrorCode;
  /** Paths of all faults. */
  paths?: string[];
}

const signal = (fields: object): string => JSON.stringify({ signal_type: 'execute', payload: {}, ...fields });
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
const keys = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
const invalid = { status: 400, code: 'INVALID_SIGNAL' } as const;
const badJson = { status: 400, code: 'INVALID_JSON' } as const;
const badMedia = { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' } as const;
const badRequest = { status: 400, code: 'INVALID_REQUEST' } as const;

const CASES: Case[] = [
  { name: 'no body', body: '', ...badJson },
  { name: 'no JSON', body: 'signal_type=execute', ...badJson },
  { name: 'half a JSON', body: '{"signal_type":', ...badJson },
  { name: 'not UTF-8', body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), ...badJson },
  { name: 'deep beyond sense', body: '['.repeat(100_000), ...badJson },
  { name: 'an array', body: '[]', ...invalid, paths: [''] },
  { name: 'null', body: 'null', ...invalid, paths: [''] },
  { name: 'text', body: '"execute"', ...invalid, paths: [''] },
  { name: 'nothing given', body: '{}', ...invalid, paths: ['/signal_type', '/payload'] },
  { name: 'no payload', body: '{"signal_type":"execute"}', ...invalid, paths: ['/payload'] },
  { name: 'payload an array', body: signal({ payload: [] }), ...invalid, paths: ['/payload'] },
  { name: 'payload null', body: signal({ payload: null }), ...invalid, paths: ['/payload'] },
  { name: 'payload text', body: signal({ payload: 'x' }), ...invalid, paths: ['/payload'] },
  { name: 'type in capitals', body: signal({ signal_type: 'Execute' }), ...invalid, paths: ['/signal_type'] },
  { name: 'type with a dot', body: signal({ signal_type: 'a.b' }), ...invalid, paths: ['/signal_type'] },
  { name: 'type with a star', body: signal({ signal_type: '*' }), ...invalid, paths: ['/signal_type'] },
  {
    name: 'type too long',
    body: signal({ signal_type: 'a'.repeat(49) }),
    ...invalid,
    paths: ['/signal_type'],
  },
  { name: 'type empty', body: signal({ signal_type: '' }), ...invalid, paths: ['/signal_type'] },
  { name: 'type a number', body: signal({ signal_type: 1 }), ...invalid },
  { name: 'priority 0', body: signal({ priority: 0 }), ...invalid, paths: ['/priority'] },
  { name: 'priority 5', body: signal({ priority: 5 }), ...invalid, paths: ['/priority'] },
  { name: 'priority 2.5', body: signal({ priority: 2.5 }), ...invalid, paths: ['/priority'] },
  { name: 'priority as text', body: signal({ priority: '2' }), ...invalid, paths: ['/priority'] },
  { name: 'timeout 0', body: signal({ timeout_ms: 0 }), ...invalid, paths: ['/timeout_ms'] },
  { name: 'timeout negative', body: signal({ timeout_ms: -1 }), ...invalid, paths: ['/timeout_ms'] },
  {
    name: 'timeout over 5 minutes',
    body: signal({ timeout_ms: 300_001 }),
    ...invalid,
    paths: ['/timeout_ms'],
  },
  {
    name: 'timeout over 24 hours',
    body: signal({ timeout_ms: 86_400_001 }),
    headers: { prefer: 'respond-async' },
    ...invalid,
    paths: ['/timeout_ms'],
  },
  { name: 'an unknown field', body: signal({ extra: 1 }), ...invalid, paths: ['/extra'] },
  {
    name: 'many faults at once',
    body: JSON.stringify({ signal_type: 'X', priority: 9, timeout_ms: 0, a: 1, b: 2 }),
    ...invalid,
    paths: ['/a', '/b', '/payload', '/priority', '/signal_type', '/timeout_ms'],
  },
  { name: 'too deep', body: signal({ payload: nested(21) }), ...invalid },
  { name: 'too many keys', body: signal({ payload: keys(1_001) }), ...invalid, paths: ['/payload'] },
  { name: '__proto__', body: '{"signal_type":"execute","payload":{"a":{"__proto__":{}}}}', ...invalid },
  {
    name: 'constructor',
    body: signal({ payload: { constructor: 1 } }),
    ...invalid,
    paths: ['/payload/constructor'],
  },
  { name: 'prototype in a list', body: signal({ payload: { a: [{ prototype: 1 }] } }), ...invalid },
  { name: 'a number beyond range', body: '{"signal_type":"execute","payload":{"n":1e999}}', ...invalid },
  {
    name: 'outside the input schema',
    body: signal({ signal_type: 'strict', payload: { n: 'x' } }),
    ...invalid,
    paths: ['/payload/n'],
  },
  {
    name: 'missing in the input',
    body: signal({ signal_type: 'strict' }),
    ...invalid,
    paths: ['/payload/n'],
  },
  {
    name: 'an unknown type',
    body: signal({ signal_type: 'nobody' }),
    status: 400,
    code: 'UNKNOWN_SIGNAL_TYPE',
  },
  { name: 'XML', body: '<a/>', headers: { 'content-type': 'text/xml' }, ...badMedia },
  {
    name: 'multipart',
    body: 'x',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
    ...badMedia,
  },
  {
    name: 'latin1',
    body: signal({}),
    headers: { 'content-type': 'application/json; charset=latin1' },
    ...badMedia,
  },
  { name: 'compressed', body: signal({}), headers: { 'content-encoding': 'gzip' }, ...badMedia },
  {
    name: 'two charsets',
    body: signal({}),
    headers: { 'content-type': 'application/json; charset=utf-8; charset=latin1' },
    ...badMedia,
  },
  {
    name: 'a charset with a space',
    body: signal({}),
    headers: { 'content-type': 'application/json; charset =latin1' },
    ...badMedia,
  },
  {
    name: 'two content types',
    body: signal({}),
    headers: { 'content-type': ['application/json', 'text/xml'] },
    ...badMedia,
  },
  {
    name: 'a whole number that no double holds',
    body: '{"signal_type":"execute","payload":{"a":[{"order/id":9007199254740993}],"b":1E-400}}',
    ...invalid,
    paths: ['/payload/a/0/order~1id', '/payload/b'],
  },
  {
    name: 'a key twice',
    body: '{"signal_type":"execute","payload":{"a":{"b":1,"\\u0062":2}},"priority":1,"priority":1}',
    ...invalid,
    paths: ['/payload/a/b', '/priority'],
  },
  { name: 'a comma at the end', body: '{"signal_type":"execute","payload":{},}', ...badJson },
  { name: 'a byte order mark', body: `\ufeff${signal({})}`, ...badJson },
  {
    name: 'two keys',
    body: signal({}),
    headers: { 'idempotency-key': ['a', 'b'] },
    ...badRequest,
  },
  { name: 'a wait that is no number', body: signal({}), headers: { prefer: 'wait=abc' }, ...badRequest },
  { name: 'a query', body: signal({}), query: '?priority=1', ...badRequest, paths: ['/priority'] },
  {
    name: 'a query behind a slash',
    body: signal({}),
    query: '/?a=1&b=2',
    ...badRequest,
    paths: ['/a', '/b'],
  },
  { name: 'a key with a slash', body: signal({}), headers: { 'idempotency-key': 'a/b' }, ...badRequest },
  { name: 'an empty key', body: signal({}), headers: { 'idempotency-key': '' }, ...badRequest },
  { name: 'a key too long', body: signal({}), headers: { 'idempotency-key': 'k'.repeat(65) }, ...badRequest },
  {
    name: 'a body too large',
    body: signal({ payload: { a: 'x'.repeat(262_144) } }),
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
];

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: Record<string, unknown>;
}

describe('POST /signal refuses', () => {
  let gateway: GatewayHarness;
  beforeAll(async () => (gateway = await startGateway()));
  afterAll(() => gateway.stop());

  function post({ body = '', headers = {}, query = '' }: Partial<Case>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { port: gateway.port, method: 'POST', path: `/signal${query}`, headers };
      const req = httpRequest(options, (res) => {
        let text = '';
        res.on('data', (chunk: Buffer) => (text += chunk.toString()));
        res.on('end', () =>
          resolve({
            status: res.statusCode!,
            headers: res.headers,
            body: JSON.parse(text) as Answer['body'],
          }),
        );
      });
      req.on('error', reject).end(body);
    });
  }

  test.each(CASES)('$name: $status $code', async ({ status, code, paths, ...given }) => {
    const answer = await post(given);
    expect(answer.body).toMatchObject({ status, code, success: false });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body.message).toEqual(expect.any(String));
    expect(answer.body.trace_id).toMatch(/^[0-9a-f]{32}$/);
    if (code === 'INVALID_SIGNAL') expect(answer.body.errors).not.toHaveLength(0);
    if (paths)
      expect((answer.body.errors as { path: string }[]).map(({ path }) => path).sort()).toEqual(paths.sort());
    expect(gateway.fleet.signals).toHaveLength(0);
  });

  test('a body that grows too large while it is sent', async () => {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const options = { port: gateway.port, method: 'POST', path: '/signal' };
      const req = httpRequest(options, (res) => {
        res.once('data', (chunk: Buffer) =>
          resolve({
            status: res.statusCode!,
            headers: res.headers,
            body: JSON.parse(chunk.toString()) as Answer['body'],
          }),
        );
      });
      req.on('error', reject);
      for (let i = 0; i < 5; i += 1) req.write(Buffer.alloc(65_536, 0x20));
    });
    expect(answer).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(answer.headers.connection).toBe('close');
  });

  test('names the types it knows', async () => {
    const { body } = await post({ body: signal({ signal_type: 'nobody' }) });
    expect(body.known_types).toEqual(['broken', 'execute', 'strict']);
  });

  test('nothing because of a schema that cannot be used', async () => {
    expect((await post({ body: signal({ signal_type: 'broken' }) })).status).toBe(202);
    gateway.fleet.reset();
  });

  test('nothing because of a schema whose check answers with a promise, and no rejection is left behind', async () => {
    const rejections: unknown[] = [];
    const notice = (reason: unknown): void => void rejections.push(reason);
    process.on('unhandledRejection', notice);
    await gateway.fleet.register('promised', { $async: true, type: 'object', required: ['n'] });
    const answer = await waitFor('the type to be known', async () => {
      const given = await post({ body: signal({ signal_type: 'promised' }) });
      return given.status === 202 ? given : null;
    });
    process.off('unhandledRejection', notice);
    expect([answer.status, rejections]).toEqual([202, []]);
    gateway.fleet.reset();
  });

  test('not what is just within the limits', async () => {
    for (const payload of [nested(20), keys(1_000), { a: 'x'.repeat(200_000) }]) {
      expect((await post({ body: signal({ payload, priority: 4, timeout_ms: 300_000 }) })).status).toBe(202);
    }
    gateway.fleet.reset();
  });
});
