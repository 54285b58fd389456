import { type IncomingMessage, request as httpRequest } from 'node:http';
import { operations } from './api/operations';
import type { OpenApiDocument } from './api/openapi';
import { type Http, type Reply, type GatewayHarness, startGateway } from './testing/harness';
import { Access, addressIn } from './access';
import { parseTokens, Tokens } from './tokens';

const BODY = { signal_type: 'execute', payload: {} };
const ID = '018f4f6e-0000-7000-8000-000000000000';

test('a client is called by its name, if it has one', () => {
  const tokens = { AUTH_TOKEN: 'shop:secret,other', OPERATOR_TOKEN: 'boss' };
  const limits = { RATE_LIMIT: 0, TRUSTED_PROXIES: 0 };
  const nameOf = (authorization: string, AUTH_ENABLED = true): string | undefined =>
    new Access({ ...tokens, ...limits, AUTH_ENABLED }).nameOf({
      headers: { authorization },
    } as IncomingMessage);
  expect(nameOf('Bearer secret')).toBe('shop');
  expect(nameOf('Bearer other')).toBeUndefined();
  expect(nameOf('Bearer wrong')).toBeUndefined();
  expect(nameOf('Bearer secret', false)).toBeUndefined();
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  [' 203.0.113.7:4711 ', '203.0.113.7'],
  ['"203.0.113.7:4711"', '203.0.113.7'],
  ['2001:db8::9', '2001:db8::9'],
  ['[2001:db8::9]', '2001:db8::9'],
  ['[2001:db8::9]:4711', '2001:db8::9'],
  ['"[2001:db8::9]:4711"', '2001:db8::9'],
  ['[fe80::1%eth0]:4711', 'fe80::1'],
  ['fe80::1%25eth0', 'fe80::1'],
  ['::ffff:203.0.113.7', '::ffff:203.0.113.7'],
  ['[::ffff:203.0.113.7]:4711', '::ffff:203.0.113.7'],
  ['unknown', undefined],
  ['_hidden', undefined],
  ['', undefined],
  ['203.0.113.7:', undefined],
  ['203.0.113.7:port', undefined],
  ['203.0.113.999', undefined],
  ['203.0.113.7 evil', undefined],
  ['[203.0.113.7', undefined],
  ['2001:db8::9]:4711', undefined],
  ['for=203.0.113.7', undefined],
])('the address in X-Forwarded-For: %s is %s', (entry, address) => {
  expect(addressIn(entry)).toBe(address);
});

describe('tokens', () => {
  test.each([
    ['', []],
    ['one', [{ client: 'tps', secret: 'one' }]],
    ['old, new', ['old', 'new'].map((secret) => ({ client: 'tps', secret }))],
    ['shop:a,shop:b', ['a', 'b'].map((secret) => ({ client: 'shop', secret }))],
    ['a+b/c=', [{ client: 'tps', secret: 'a+b/c=' }]],
    ['a b', null],
    ['a,,b', null],
    ['a\r\nb', null],
    ['shop:', null],
  ])('%j', (text, tokens) => {
    expect(parseTokens(text)).toEqual(tokens);
  });

  test('are known by their whole text and nothing else', () => {
    const tokens = new Tokens(parseTokens('shop:secret')!, parseTokens('boss')!);
    expect(tokens.callerOf('Bearer secret')).toEqual({ client: 'shop', operator: false });
    expect(tokens.callerOf('bearer boss')).toEqual({ client: 'tps', operator: true });
    for (const wrong of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer secre',
      'Bearer secretX',
      'Basic secret',
    ]) {
      expect(tokens.callerOf(wrong)).toBeNull();
    }
  });
});

describe('with AUTH_ENABLED', () => {
  let gateway: GatewayHarness;
  beforeAll(async () => {
    gateway = await startGateway({
      AUTH_ENABLED: 'true',
      AUTH_TOKEN: 'old,new,shop:other',
      OPERATOR_TOKEN: 'boss',
    });
  });
  afterAll(() => gateway.stop());
  afterEach(() => gateway.fleet.reset());

  const as = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
  const send = (token: string, key: string, priority = 3): PromiseLike<Reply> =>
    gateway.http
      .post('/signal')
      .set({ ...as(token), 'idempotency-key': key })
      .send({ ...BODY, priority });

  test('every operation asks for the token of its role, and before it looks at anything else', async () => {
    for (const [id, { method, path, role }] of operations) {
      const ask = (headers: Record<string, string>): PromiseLike<Reply> =>
        gateway.http[method as keyof Http](path.replace(/\{\w+\}/g, ID)).set(headers);
      for (const wrong of [{}, as('wrong'), as(''), { authorization: 'Basic old' }]) {
        const { status, headers, body } = await ask(wrong);
        if (role === 'anyone') expect([id, status]).toEqual([id, 200]);
        else expect({ id, status, body }).toMatchObject({ id, status: 401, body: { code: 'UNAUTHORIZED' } });
        if (role !== 'anyone') expect(headers['www-authenticate']).toMatch(/^Bearer/);
      }
      const { status, body } = await ask(as('old'));
      if (role === 'operator') {
        expect({ id, status, body }).toMatchObject({ id, status: 403, body: { code: 'FORBIDDEN' } });
      } else expect([401, 403]).not.toContain(status);
      expect([401, 403]).not.toContain((await ask(as('boss'))).status);
    }
  });

  test('a request with two tokens is refused', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = ['host', 'x', 'authorization', 'Bearer old', 'authorization', 'Bearer wrong'];
      const asked = httpRequest({ port: gateway.port, path: '/info', headers: headers as never }, (res) => {
        res.resume();
        resolve(res.statusCode);
      });
      asked.on('error', reject).end();
    });
    expect(status).toBe(401);
  });

  test('both tokens of a client are the same client, another client is another', async () => {
    const first = await send('old', 'order-1');
    expect(first.body.status).toBe('succeeded');
    expect((await send('new', 'order-1')).body.signal_id).toBe(first.body.signal_id);
    expect((await send('new', 'order-1', 1)).body.code).toBe('IDEMPOTENCY_CONFLICT');
    const other = await send('other', 'order-1', 1);
    expect(other).toMatchObject({ status: 202, body: { success: true } });
    expect(other.body.signal_id).not.toBe(first.body.signal_id);
  });

  test('/openapi.json says which token an operation takes', async () => {
    const { paths, security } = (await gateway.http.get('/openapi.json')).body as unknown as OpenApiDocument;
    expect(security).toEqual([{ client: [] }]);
    expect(paths['/health']?.get?.security).toEqual([]);
    expect(paths['/signal']?.post?.security).toEqual([{ client: [] }]);
    expect(paths['/signal/{id}']?.delete?.security).toEqual([{ operator: [] }]);
    expect(Object.keys(paths['/signal/{id}']?.delete?.responses ?? {})).toEqual(
      expect.arrayContaining(['401', '403']),
    );
  });
});

describe('RATE_LIMIT', () => {
  test('refuses what is too much, on the short way as well', async () => {
    const gateway = await startGateway({ RATE_LIMIT: '3' });
    const first = await gateway.http.post('/signal').send(BODY);
    expect(first.status).toBe(202);
    expect(first.headers.ratelimit).toMatch(/r=2/);
    expect(first.headers['ratelimit-policy']).toMatch(/q=3; w=60/);
    expect((await gateway.http.get('/info')).status).toBe(200);
    expect((await gateway.http.post('/signal').send(BODY)).status).toBe(202);
    for (const refused of [gateway.http.post('/signal').send(BODY), gateway.http.get('/info')]) {
      const { status, headers, body } = await refused;
      expect({ status, body }).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    expect((await gateway.http.get('/health')).status).toBe(200);
    await gateway.stop();
  });

  test('is counted per client and not per token, and guessing is counted too', async () => {
    const tokens = { AUTH_ENABLED: 'true', AUTH_TOKEN: 'a:1,a:2,b:3', OPERATOR_TOKEN: 'boss' };
    const gateway = await startGateway({ RATE_LIMIT: '2', ...tokens });
    const asked = async (token: string): Promise<number> =>
      (await gateway.http.get('/info').set({ authorization: `Bearer ${token}` })).status;
    const statuses = [];
    for (const token of ['1', '2', '1', '3', 'boss', 'wrong', 'guess', 'other']) {
      statuses.push(await asked(token));
    }
    expect(statuses).toEqual([200, 200, 429, 200, 200, 401, 401, 429]);
    await gateway.stop();
  });
});

describe('RATE_LIMIT behind a proxy', () => {
  let gateway: GatewayHarness;
  beforeAll(async () => (gateway = await startGateway({ RATE_LIMIT: '2', TRUSTED_PROXIES: '1' })));
  afterAll(() => gateway.stop());

  test.each([
    ['address:port', (n: number) => `198.51.100.1, 203.0.113.1:${n}`],
    ['[address]:port', (n: number) => `[2001:db8::1]:${n}`],
    ['quotes', (n: number) => `"[2001:db8:1::1]:${n}"`],
    ['mapped addresses', (n: number) => (n % 2 ? '203.0.113.2' : `::ffff:203.0.113.2`)],
    ['a zone', (n: number) => `fe80::1%eth${n}`],
    ['made up entries before it', (n: number) => `10.0.0.${n}, 203.0.113.3`],
    ['no addresses', (n: number) => `unknown${n}`],
  ])('counts one client although the proxy writes %s', async (_, entry) => {
    const statuses = [];
    for (const n of [1, 2, 3, 4]) {
      statuses.push((await gateway.http.get('/info').set({ 'x-forwarded-for': entry(n) })).status);
    }
    expect(statuses).toEqual([200, 200, 429, 429]);
  });
});

test.each([
  [{ AUTH_ENABLED: 'true' }, /^AUTH_TOKEN= is not allowed/],
  [{ AUTH_TOKEN: 'two words' }, /^AUTH_TOKEN=\*\*\* is not allowed: must be `\[client:\]token,...`/],
  [{ AUTH_TOKEN: 'a,b', OPERATOR_TOKEN: 'b' }, /^OPERATOR_TOKEN=\*\*\* is not allowed: must differ/],
])('%j is a configuration error', async (env, line) => {
  await expect(startGateway(env)).rejects.toThrow(line);
});
