import { createServer, type IncomingMessage, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Type } from '@sinclair/typebox';
import request from 'supertest';
import type { ApiError } from '../problem';
import { inputReader } from './input';
import type { Operation, SchemaName } from './operation';

jest.mock('./schemas', () => ({
  ...jest.requireActual<object>('./schemas'),
  Query: Type.Object(
    {
      type: Type.Optional(Type.String({ minLength: 1 })),
      class: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['good', 'bad'] })),
      limit: Type.Integer({ minimum: 1, maximum: 30, default: 5 }),
      since: Type.Optional(Type.String({ format: 'date-time' })),
    },
    { additionalProperties: false },
  ),
  Body: Type.Object({ cards: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
}));

const OPERATION = { query: 'Query' as SchemaName, body: 'Body' as SchemaName } as Operation;
const read = inputReader(OPERATION);
const readNothing = inputReader({} as Operation);
const server = createServer((req, res) => {
  (req.url?.startsWith('/nothing') ? readNothing : read)(req).then(
    (input) => res.end(JSON.stringify(input)),
    (error: ApiError) =>
      res.writeHead(error.status).end(JSON.stringify({ ...error.details.members, text: error.message })),
  );
});
beforeAll((done) => void server.listen(0, '127.0.0.1', done));
afterAll((done) => void server.close(done));

test('a body that may be missing is checked when it is there', async () => {
  const readOptional = inputReader({ ...OPERATION, optionalBody: true });
  const bare = { headers: {}, url: '/' } as IncomingMessage;
  expect(await readOptional(bare)).toEqual({ query: { limit: 5 }, body: undefined });
  expect((await send('', { cards: 0 })).status).toBe(400);
});

async function send(query: string, body?: object | string): Promise<{ status: number; body: unknown }> {
  const { port } = server.address() as AddressInfo;
  const asked = request(`http://127.0.0.1:${port}`).post(`/${query}`).type('json');
  const { status, text } = await asked.send(body);
  return { status, body: JSON.parse(text) as unknown };
}

test('gives query and body in the types of their schemas, with defaults', async () => {
  expect(await send('?limit=7&type=execute', { cards: 3 })).toEqual({
    status: 200,
    body: { query: { limit: 7, type: 'execute' }, body: { cards: 3 } },
  });
  expect(await send('', { cards: 3 })).toMatchObject({ body: { query: { limit: 5 } } });
});

test.each([
  ['?limit=0', {}, '/limit must be >= 1'],
  ...['x', '', '10abc', '+10', '%2010', '0x10', '1e1', '10.0', '010', '9'.repeat(400)].map(
    (limit): [string, object, string] => [`?limit=${limit}`, {}, '/limit must be'],
  ),
  ['?type=execute?class=good', {}, '/type holds a second "?": write it as %3F'],
  ['?type=a&class=good?limit=1', {}, '/class holds a second "?"'],
  ['?type=%zz', {}, '/type cannot be decoded: %zz'],
  ['?type=%ff', {}, '/type cannot be decoded: %ff'],
  ['?%zz=1', {}, '/%zz cannot be decoded'],
  ['?type', {}, '/type must NOT have fewer than 1 characters'],
  ['?=1', {}, '/ is not a known field'],
  ['?class=good;type=a', {}, '/class must be one of'],
  ['?since=2026-06-30T23:59:60Z', {}, '/since must match format'],
  ['?since=2026-01-31T00:00:00%2B02', {}, '/since must match format'],
  ['?since=2026-01-31', {}, '/since must match format'],
  ['?class=ugly', {}, '/class must be one of "good", "bad"'],
  ['?limt=3', {}, '/limt is not a known field'],
  ['?limit=1&limit=2', {}, '/limit is given twice'],
  ['?__proto__=1', {}, '/__proto__ is not a known field'],
  ['', { cards: 'three' }, '/cards must be integer'],
  ['', { cards: 3, extra: true }, '/extra is not a known field'],
  ['', [], 'the body must be object'],
  ['', JSON.parse('{"cards":3,"__proto__":{}}'), '/__proto__ is not allowed as a key'],
])('refuses %s with %j: %s', async (query, body: object, text) => {
  const full = body instanceof Array || Object.keys(body).length > 0 ? body : { cards: 3 };
  const { status, body: answer } = await send(query, full);
  expect(status).toBe(400);
  expect((answer as { text: string }).text).toContain(text);
});

test.each([
  ['{"cards":9007199254740993}', '/cards is 9007199254740993 and would arrive as 9007199254740992'],
  ['{"cards":3,"cards":4}', '/cards is given twice'],
  ['{"cards":1e400}', '/cards is out of range'],
])('refuses the body %s: %s', async (body, text) => {
  expect(await send('', body)).toMatchObject({
    status: 400,
    body: { text: expect.stringContaining(text) as string },
  });
});

describe('an operation that takes nothing', () => {
  test.each([[''], ['?'], ['?&&']])('takes /nothing%s', async (query) => {
    expect(await send(`nothing${query}`)).toMatchObject({ status: 200 });
    expect(await send(`nothing${query}`, {})).toMatchObject({ status: 200 });
  });

  test('takes a body of no chunks', async () => {
    const { port } = server.address() as AddressInfo;
    const headers = { 'transfer-encoding': 'chunked' };
    const status = await new Promise((resolve, reject) => {
      const asked = httpRequest({ port, method: 'POST', path: '/nothing', headers }, (res) => {
        res.resume();
        resolve(res.statusCode);
      });
      asked.on('error', reject).end();
    });
    expect(status).toBe(200);
  });

  test.each([
    ['?dry_run=true', undefined, '/dry_run is not a known field'],
    ['?a&b=1', undefined, '/a is not a known field; /b is not a known field'],
    ['', '{"running":true}', '/running is not a known field'],
    ['', '[1]', 'the body must be object'],
    ['', 'x', 'This operation takes no body.'],
  ])('refuses %s with %s: %s', async (query, body, text) => {
    const { status, body: answer } = await send(`nothing${query}`, body);
    expect({ status, answer }).toMatchObject({
      status: 400,
      answer: { text: expect.stringContaining(text) as string },
    });
  });
});
