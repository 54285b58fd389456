import { createServer, type IncomingMessage } from 'node:http';
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
      type: Type.Optional(Type.String()),
      class: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['good', 'bad'] })),
      limit: Type.Integer({ minimum: 1, maximum: 9, default: 5 }),
    },
    { additionalProperties: false },
  ),
  Body: Type.Object({ cards: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
}));

const OPERATION = { query: 'Query' as SchemaName, body: 'Body' as SchemaName } as Operation;
const read = inputReader(OPERATION);
const server = createServer((req, res) => {
  read(req).then(
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

async function send(query: string, body: object): Promise<{ status: number; body: unknown }> {
  const { port } = server.address() as AddressInfo;
  const { status, text } = await request(`http://127.0.0.1:${port}`).post(`/${query}`).send(body);
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
  ['?limit=x', {}, '/limit must be integer'],
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
