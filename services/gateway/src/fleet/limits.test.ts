import type { ReplyOf, RequestOf } from '@tps/contracts';
import { type GatewayHarness, startGateway } from '../testing/harness';

let gateway: GatewayHarness;
const asked: unknown[] = [];

beforeAll(async () => {
  gateway = await startGateway();
  const { nc, names } = gateway.fleet.bus;
  nc.subscribe(names.subjects.cards, {
    callback: (_, msg) => {
      const request = msg.json<RequestOf<'cards'>>();
      const { signal_type, cards } = request;
      asked.push(request);
      const reply: ReplyOf<'cards'> = { signal_type, cards: cards ?? 'default', limit: 4, advice: null };
      msg.respond(JSON.stringify(reply));
    },
  });
  nc.subscribe(names.subjects.rate, {
    callback: (_, msg) => {
      asked.push(msg.json<RequestOf<'rate'>>());
      msg.respond(msg.data);
    },
  });
});
afterAll(() => gateway.stop());
beforeEach(() => void asked.splice(0));

test.each([
  ['/kanban/execute', { cards: 3 }, { signal_type: 'execute', cards: 3, limit: 4, advice: null }],
  ['/kanban/execute', { cards: 'auto' }, { cards: 'auto' }],
  ['/kanban/execute', { cards: null }, { cards: 'default' }],
  ['/heijunka/execute', { max_per_s: 0.5 }, { signal_type: 'execute', max_per_s: 0.5 }],
  ['/heijunka/execute', { max_per_s: null }, { max_per_s: null }],
])('PUT %s %j', async (path, body, answer) => {
  expect(await gateway.http.put(path).send(body)).toMatchObject({ status: 200, body: answer });
  expect(asked).toEqual([{ v: 1, signal_type: 'execute', ...body }]);
});

const CARDS = '(a whole number from 1 to 10000, "auto" for what the kanban formula says, or null';
const RATE = '(a number above 0 and up to 10000, or null for no limit)';
test.each([
  ['/kanban/execute', { cards: 0 }, `/cards must be >= 1 ${CARDS}`],
  ['/kanban/execute', { cards: -1 }, `/cards must be >= 1 ${CARDS}`],
  ['/kanban/execute', { cards: 1.5 }, `/cards must be integer,string,null ${CARDS}`],
  ['/kanban/execute', { cards: '3' }, CARDS],
  ['/kanban/execute', { cards: 1e9 }, CARDS],
  ['/kanban/execute', {}, '/cards is required'],
  ['/kanban/execute', { cards: 3, for: 'ever' }, '/for is not a known field'],
  ['/heijunka/execute', { max_per_s: 0 }, `/max_per_s must be > 0 ${RATE}`],
  ['/heijunka/execute', { max_per_s: 'fast' }, RATE],
])('PUT %s %j is refused: %s', async (path, body, message) => {
  const reply = await gateway.http.put(path).send(body);
  expect(reply).toMatchObject({ status: 400, body: { success: false, code: 'INVALID_REQUEST' } });
  expect(reply.body.message).toContain(message);
  expect(asked).toEqual([]);
});

test('a type that nobody knows is refused with those that are known', async () => {
  for (const [path, body] of [
    ['/kanban/nope', { cards: 1 }],
    ['/heijunka/nope', { max_per_s: 1 }],
  ] as const) {
    const reply = await gateway.http.put(path).send(body);
    expect(reply).toMatchObject({ status: 400, body: { code: 'UNKNOWN_SIGNAL_TYPE' } });
    expect(reply.body.known_types).toContain('execute');
  }
});
