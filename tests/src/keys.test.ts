import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { waitFor } from '@tps/testkit';
import { type Answer, Fleet, type SignalAnswer } from './fleet';

type Post = Answer<SignalAnswer>;
interface Row {
  state: string;
  repeat: string;
  check: (key: string) => Promise<void>;
}

const PAGE = resolve(__dirname, '../../docs/producers.md');
const BEGIN = '<!-- keys: a test runs every row of this table, and compares the table with its own -->';
const END = '<!-- end of keys -->';
const DEMO = { task: 'demo' };
const SLOTS = 4;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({
    TPS_NUM_WORKERS: `${SLOTS}`,
    TPS_REPLICAS_GATEWAY: '2',
    TPS_CB_THRESHOLD: '1000',
  });
}, 120_000);
afterAll(() => fleet?.stop(), 60_000);

const post = (
  key: string,
  payload: object,
  more: { type?: string; timeout_ms?: number } = {},
): Promise<Post> => {
  const { type = 'execute', ...rest } = more;
  return fleet.post(type, payload, { headers: { 'idempotency-key': key }, ...rest });
};
const send = (key: string, payload: object, type = 'execute'): Promise<string> =>
  fleet.send(type, payload, { 'idempotency-key': key });
const statusOf = async (id: string): Promise<unknown> => (await fleet.get(`/signal/${id}`)).body.status;
const replayed = ({ headers }: Post): boolean => headers.get('idempotency-replayed') === 'true';

/** Fills every slot for a while. @returns the signals that do so */
async function busy(forMs = 1_500): Promise<string[]> {
  const slow = { chaos: { sleep_ms: forMs } };
  const ids = await Promise.all(Array.from({ length: SLOTS }, () => fleet.send('execute', slow)));
  for (const id of ids) await waitFor('a slot to work', async () => (await statusOf(id)) === 'running');
  return ids;
}

/** Sends a signal to its end, and expects that a repeat is answered from the records and starts nothing. */
async function endsAs(status: string, first: () => Promise<Post>): Promise<void> {
  const before = await first();
  const { body } = await fleet.get(`/signal/${before.body.signal_id}`, { prefer: 'wait=10' });
  expect(body.status).toBe(status);
  expectReplay(await first(), body);
  expect((await fleet.get(`/signal/${before.body.signal_id}`)).body).toEqual(body);
}

function expectReplay(answer: Post, { signal_id, status }: Record<string, unknown>): void {
  expect({ ...answer, replayed: replayed(answer) }).toMatchObject({
    status: 202,
    body: { signal_id, status },
    replayed: true,
  });
}

const ROWS: Row[] = [
  {
    state: 'waiting',
    repeat: 'joins it: the same id, and its outcome if you wait',
    check: async (key) => {
      await busy();
      const id = await send(key, DEMO);
      const answer = await post(key, DEMO);
      expect(answer.body).toMatchObject({ signal_id: id, status: 'succeeded' });
      expect(replayed(answer)).toBe(false);
    },
  },
  {
    state: 'in work',
    repeat: 'joins it, and does not start it again',
    check: async (key) => {
      const slow = { ...DEMO, chaos: { sleep_ms: 800 } };
      const id = await send(key, slow);
      await waitFor('the start', async () => (await statusOf(id)) === 'running');
      const answer = await post(key, slow);
      expect(answer.body).toMatchObject({ signal_id: id, status: 'succeeded' });
      expect(replayed(answer)).toBe(false);
    },
  },
  {
    state: 'backing off after a failed attempt',
    repeat: 'joins it, and does not shorten the backoff',
    check: async (key) => {
      const flaky = { data: 1, chaos: { fail: 'transient', fail_first: 1 } };
      const id = await send(key, flaky, 'validate');
      const answer = await post(key, flaky, { type: 'validate' });
      expect(answer.body).toMatchObject({ signal_id: id, status: 'succeeded' });
      expect((await fleet.get(`/signal/${id}`)).body.attempt).toBe(2);
    },
  },
  {
    state: 'held by a stopped line',
    repeat: 'joins it (`held`); a new key is refused or held as the stop says',
    check: async (key) => {
      const cord = { signal_type: 'report', mode: 'stop', reason: 'a test', intake: 'hold' };
      const { body: call } = await fleet.call<{ id: string }>('POST', '/andon/cord', cord);
      const id = await waitFor('a held signal', () => send(key, {}, 'report').catch(() => null));
      const repeat = await post(key, {}, { type: 'report', timeout_ms: 300 });
      expect(repeat.body).toMatchObject({ success: null, status: 'held', signal_id: id });
      await fleet.call('POST', `/andon/${call.id}/resume`, { owner: 'a test', countermeasure: 'none' });
      const { body } = await fleet.get(`/signal/${id}`, { prefer: 'wait=10' });
      expect(body.status).toBe('succeeded');
    },
  },
  {
    state: 'succeeded',
    repeat: 'the same outcome, from the records',
    check: (key) => endsAs('succeeded', () => post(key, DEMO)),
  },
  {
    state: 'failed',
    repeat: 'the same outcome, from the records; only a requeue runs it again',
    check: (key) => endsAs('failed', () => post(key, { chaos: { fail: 'defect' } })),
  },
  {
    state: 'failed, and its dead letter deleted',
    repeat: 'the same outcome, from the records',
    check: async (key) => {
      const payload = { chaos: { fail: 'defect' } };
      const { body } = await post(key, payload);
      await waitFor('the purge', async () => {
        return (await fleet.call('DELETE', '/kanban/dead', { filter: { type: 'execute' } })).status === 200;
      });
      await waitFor('the record', async () => (await statusOf(body.signal_id)) === 'failed');
      expectReplay(await post(key, payload), { ...body });
    },
  },
  {
    state: 'rejected',
    repeat: 'the same outcome, from the records: send the mended payload under a new key',
    check: (key) => endsAs('rejected', () => post(key, {}, { type: 'validate' })),
  },
  {
    state: 'expired',
    repeat: 'the same outcome, from the records, whatever `timeout_ms` the repeat has',
    check: async (key) => {
      await busy();
      await endsAs('expired', () => post(key, DEMO, { timeout_ms: 300 }));
      expect((await post(key, DEMO, { timeout_ms: 20_000 })).body.status).toBe('expired');
    },
  },
  {
    state: 'requeued',
    repeat: 'the outcome of its latest run',
    check: async (key) => {
      const others = await busy(3_000);
      const { body } = await post(key, DEMO, { timeout_ms: 1_000 });
      await waitFor('the expiry', async () => (await statusOf(body.signal_id)) === 'expired');
      for (const id of others) await waitFor('a slot', async () => (await statusOf(id)) === 'succeeded');
      const again = await fleet.call('POST', `/signal/${body.signal_id}/retry`);
      expect(again.body).toMatchObject({ status: 'succeeded' });
      expectReplay(await post(key, DEMO), { ...body, status: 'succeeded' });
    },
  },
  {
    state: 'cancelled',
    repeat: 'the same outcome, from the records: use a new key to have it done after all',
    check: async (key) => {
      await busy();
      const id = await send(key, DEMO);
      expect((await fleet.remove(`/signal/${id}`)).status).toBe(200);
      expectReplay(await post(key, DEMO), { signal_id: id, status: 'cancelled' });
    },
  },
  {
    state: 'any, and the repeat has another `signal_type`, `payload` or `priority`',
    repeat: '`409 IDEMPOTENCY_CONFLICT`',
    check: async (key) => {
      await post(key, DEMO);
      const others = [post(key, { ...DEMO, n: 1 }), post(key, DEMO, { type: 'report' })];
      for (const { status } of await Promise.all(others)) expect(status).toBe(409);
    },
  },
  {
    state: 'sent to two gateways at once',
    repeat: 'one signal: both get its outcome',
    check: async (key) => {
      const url = new URL(fleet.url);
      url.port = `${Number(url.port) + 1}`;
      const request = {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ signal_type: 'execute', payload: DEMO }),
      };
      const other = fetch(`${url.origin}/signal`, request).then((answer) => answer.json());
      const [one, two] = await Promise.all([post(key, DEMO), other as Promise<SignalAnswer>]);
      expect([one.body.status, two.status]).toEqual(['succeeded', 'succeeded']);
      expect(two).toMatchObject({ signal_id: one.body.signal_id, trace_id: one.body.trace_id });
    },
  },
  {
    state: 'finished, while the records do not answer',
    repeat: 'accepted as a suspect, and answered from the records when they are back: it does not run again',
    check: async (key) => {
      const first = await post(key, DEMO);
      await fleet.kill('andon-1');
      const again = await post(key, DEMO);
      expect(again).toMatchObject({ status: 202, body: first.body });
      expect(replayed(again)).toBe(true);
    },
  },
  {
    state: 'new, while the records do not answer',
    repeat: 'accepted as a suspect, and run once when they are back (or expired by then)',
    check: async (key) => {
      await fleet.kill('andon-1');
      const answer = await post(key, DEMO);
      expect(answer).toMatchObject({ status: 202, body: { status: 'succeeded' } });
      expect((await fleet.get(`/signal/${answer.body.signal_id}`)).body.attempt).toBe(1);
    },
  },
];

describe('what a key means while its signal is', () => {
  test.each(ROWS.map((row, n) => [row.state, row, n] as const))(
    '%s',
    async (_, { check }, n) => {
      await check(`state-${n}`);
    },
    90_000,
  );
});

test('the documented table has these rows', () => {
  const page = readFileSync(PAGE, 'utf8');
  const rows = ROWS.map(({ state, repeat }) => `| ${state} | ${repeat} |`).join('\n');
  const table = `\n| its signal is | a repeat gets |\n|---|---|\n${rows}\n`;
  expect(page.slice(page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END))).toBe(table);
});
