import type { RequestOf } from '@tps/contracts';
import { sampleCall } from '@tps/testkit';
import type { PullOptions } from '../definition';
import { signal, WorkerHarness } from './worker-harness.fixture';

jest.setTimeout(30_000);

describe('a handler that pulls the cord', () => {
  let harness: WorkerHarness;
  const asked: RequestOf<'pull'>[] = [];
  const ids: (string | null)[] = [];
  beforeAll(async () => {
    harness = await WorkerHarness.start();
    const types = ['press', 'alone', 'blank', 'long'].map((name) =>
      signal(name, async (input, { andon }) => {
        const { reason, options } = input as { reason: string; options?: PullOptions };
        ids.push(await andon(reason, options));
        return {};
      }),
    );
    await harness.worker('one', types);
  });
  afterAll(() => harness.close());
  afterEach(() => {
    asked.length = 0;
    ids.length = 0;
  });

  /** Answers pulls, as andon does. */
  const andon = (): { unsubscribe: () => void } =>
    harness.bus.nc.subscribe(harness.bus.names.subjects.pull, {
      callback: (_, msg) => {
        asked.push(msg.json());
        msg.respond(JSON.stringify({ call: sampleCall({ id: 'call-7' }) }));
      },
    });
  test('makes a call on its own line, with its trace, and gets the id; more pulls within 10 s make none', async () => {
    const subscription = andon();
    const payload = { reason: ' the pressure is gone ', options: { mode: 'stop' } };
    const sent = [await harness.enqueue('press', { payload }), await harness.enqueue('press', { payload })];
    for (const id of sent) expect(await harness.finished(id)).toMatchObject({ status: 'succeeded' });
    expect(ids.sort()).toEqual(['call-7', null].sort());
    expect(asked).toMatchObject([
      { signal_type: 'press', mode: 'stop', reason: 'the pressure is gone', by: 'handler of press (one)' },
    ]);
    expect(asked[0]?.trace_id).toMatch(/^[0-9a-f]{32}$/);
    subscription.unsubscribe();
  });

  test('succeeds all the same when andon does not answer', async () => {
    const id = await harness.enqueue('alone', { payload: { reason: 'noise' } });
    expect(await harness.finished(id)).toMatchObject({ status: 'succeeded' });
    expect(ids).toEqual([null]);
  });

  test.each([
    ['a reason that is too long', 'x'.repeat(9_000), 'x'.repeat(500)],
    ['an empty reason', ' ', 'the handler gave no reason'],
  ])('%s still makes a call', async (_, reason, told) => {
    const subscription = andon();
    const id = await harness.enqueue(reason === ' ' ? 'blank' : 'long', { payload: { reason } });
    expect(await harness.finished(id)).toMatchObject({ status: 'succeeded' });
    expect(asked).toMatchObject([{ mode: 'call', reason: told }]);
    subscription.unsubscribe();
  });
});
