import type { ReplyOf, RequestOf } from '@tps/contracts';
import { sampleRetirement, sampleType, waitFor } from '@tps/testkit';
import { type GatewayHarness, startGateway } from '../testing/harness';

let gateway: GatewayHarness;
const asked: RequestOf<'retire'>[] = [];
let reply: ReplyOf<'retire'>;
const TOKENS = {
  AUTH_ENABLED: 'true',
  AUTH_TOKEN: 'shop:client-token',
  OPERATOR_TOKEN: 'ops:o-token,nameless',
};
const as = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

beforeAll(async () => {
  gateway = await startGateway(TOKENS);
  const { nc, names } = gateway.fleet.bus;
  nc.subscribe(names.subjects.retire, {
    callback: (_, msg) => {
      asked.push(msg.json<RequestOf<'retire'>>());
      msg.respond(JSON.stringify(reply));
    },
  });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  asked.length = 0;
  const retired = { signal_type: 'execute', by: 'ops', at: '2026-01-26T12:00:00.000Z', dead_letters: 2 };
  reply = { retired };
});

test('lists every type with its limits, who serves it, its line and what waits', async () => {
  const { status, body } = await gateway.http.get('/types').set(as('client-token'));
  expect(status).toBe(200);
  const items = body.items as { name: string }[];
  expect(items.map(({ name }) => name)).toEqual(['broken', 'execute', 'strict']);
  expect(items[1]).toMatchObject({
    name: 'execute',
    timeout_ms: 30_000,
    standard_ms: null,
    retry: { max_attempts: 3 },
    served: true,
    workers: 1,
    slots: 4,
    line: { state: 'Closed' },
    queue: { waiting: 0, in_progress: 0, held: 0 },
  });
  gateway.fleet.leave('kanban');
  const { body: without } = await gateway.http.get('/types').set(as('client-token'));
  expect((without.items as { queue: unknown }[])[1]?.queue).toBeNull();
  gateway.fleet.arrive('kanban');
});

test.each([
  ['nobody', {}, 401],
  ['a client', as('client-token'), 403],
])('%s may not retire a type', async (_, headers, status) => {
  expect((await gateway.http.delete('/types/execute').set(headers)).status).toBe(status);
  expect(asked).toEqual([]);
});

test.each([
  ['o-token', undefined, { by: 'ops' }],
  ['o-token', { reason: 'replaced', by: 'bob' }, { by: 'ops (bob)', reason: 'replaced' }],
  ['nameless', { by: 'bob' }, { by: 'bob' }],
  ['nameless', undefined, { by: 'unknown' }],
])('an operator retires a type: token %s, body %j', async (token, body, request) => {
  const call = gateway.http.delete('/types/execute').set(as(token));
  const answer = await (body ? call.send(body) : call);
  expect(answer).toMatchObject({ status: 200, body: { signal_type: 'execute', dead_letters: 2 } });
  expect(asked).toEqual([{ v: 1, signal_type: 'execute', ...request }]);
});

test.each<[ReplyOf<'retire'>, number, string, object]>([
  [{ refused: 'unknown', reason: 'there is no signal type "execute"' }, 404, 'UNKNOWN_TYPE', {}],
  [{ refused: 'has_work', reason: '3 signals wait', waiting: 3 }, 409, 'TYPE_HAS_WORK', { waiting: 3 }],
  [{ refused: 'served', reason: 'w1 serves it', workers: ['w1'] }, 409, 'TYPE_SERVED', { workers: ['w1'] }],
  [{ refused: 'unavailable', reason: 'jidoka does not answer' }, 503, 'UNAVAILABLE', {}],
])('%j becomes %i %s', async (refusal, status, code, members) => {
  reply = refusal;
  const answer = await gateway.http.delete('/types/execute').set(as('o-token'));
  expect(answer).toMatchObject({ status, body: { code, ...members } });
  expect(answer.body.message).toContain('reason' in refusal ? refusal.reason : '');
});

test.each([
  ['/types/execute', { why: 'x' }, 400, '/why is not a known field'],
  ['/types/execute', { reason: ' ' }, 400, '/reason'],
  ['/types/Not.A.Type', undefined, 404, 'no signal type can be called "Not.A.Type"'],
])('DELETE %s %j is refused without asking kanban', async (path, body, status, message) => {
  const call = gateway.http.delete(path).set(as('o-token'));
  const answer = await (body ? call.send(body) : call);
  expect(answer.status).toBe(status);
  expect(answer.body.message).toContain(message);
  expect(asked).toEqual([]);
});

test('a retired type takes no signals, and the answer says who retired it', async () => {
  await gateway.fleet.types.put('old', sampleType('old'));
  const post = (): PromiseLike<{ status: number; body: Record<string, unknown> }> =>
    gateway.http.post('/signal').set(as('client-token')).send({ signal_type: 'old', payload: {} });
  await waitFor('it to be known', async () => (await post()).status === 202);
  await gateway.fleet.types.put('old', sampleType('old', { retired: sampleRetirement() }));
  const refused = await waitFor('the refusal', async () => {
    const answer = await post();
    return answer.status === 400 ? answer : null;
  });
  expect(refused.body).toMatchObject({
    code: 'UNKNOWN_SIGNAL_TYPE',
    known_types: ['broken', 'execute', 'strict'],
  });
  expect(refused.body.message).toMatch(/^The signal type "old" was retired by bob at .*: replaced; known: /);
});

test.each([
  ['LINE_STOPPED', 503],
  ['UNKNOWN_SIGNAL_TYPE', 400],
] as const)(
  'kanban refuses a signal with %s while its type is retired: %i, not accepted',
  async (code, status) => {
    const reason = 'the signal type "execute" is being retired by bob';
    gateway.fleet.behaviour.enqueue = () => ({
      ok: false,
      code,
      reason,
      retry_after_ms: 1_000,
      accepted: false,
    });
    const call = gateway.http.post('/signal').set(as('client-token'));
    const answer = await call.send({ signal_type: 'execute', payload: {} });
    gateway.fleet.reset();
    expect(answer).toMatchObject({ status, body: { code, accepted: false } });
    expect(answer.body.message).toContain(reason);
  },
);
