import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { freePort, waitFor } from '@tps/testkit';
import { Fleet } from './fleet';

const MAIN = resolve(__dirname, '../../examples/own-worker/dist/main.js');

/** Does a process of the user's own join a running fleet, with nothing of the fleet changed? */
describe("the example of a user's own worker", () => {
  let fleet: Fleet;
  let own: ChildProcess;
  let metricsUrl: string;
  beforeAll(async () => {
    fleet = await Fleet.start();
    expect((await fleet.post('count-words', { text: 'x' })).body.code).toBe('UNKNOWN_SIGNAL_TYPE');
    const port = await freePort();
    metricsUrl = `http://127.0.0.1:${port}`;
    const env = { ...fleet.environment, METRICS_PORT: String(port), INSTANCE_ID: 'own-1' };
    own = spawn(process.execPath, [MAIN], { env, stdio: 'ignore' });
    await waitFor('the own worker', async () => (await fetch(`${metricsUrl}/health/ready`)).status === 200, {
      limitMs: 20_000,
    });
  }, 90_000);
  afterAll(async () => {
    own?.kill('SIGKILL');
    await fleet?.stop();
  }, 60_000);

  test("its type is known, its input checked, its result given; its faults are the sender's", async () => {
    const done = await waitFor('the type to be known', async () => {
      const answer = await fleet.post('count-words', { text: 'to be or not' });
      return answer.status === 202 ? answer : null;
    });
    expect(done.body).toMatchObject({ success: true, status: 'succeeded', result: { words: 4 } });
    const invalid = await fleet.post('count-words', { text: 7 });
    expect(invalid).toMatchObject({ status: 400, body: { code: 'INVALID_SIGNAL' } });
    const empty = await fleet.post('count-words', { text: ' ' });
    expect(empty.body).toMatchObject({ success: false, status: 'rejected' });
  });

  test('it is on the boards and serves metrics of its own', async () => {
    const shown = async (): Promise<unknown> => {
      const { body } = await fleet.get<{ distribution: object }>('/heijunka');
      return 'own-1' in body.distribution;
    };
    await waitFor('the distribution', shown);
    const { body: kanban } = await fleet.get<{ types: Record<string, object> }>('/kanban');
    expect(kanban.types['count-words']).toMatchObject({ cards: 'default', limit: 4 });
    const text = await (await fetch(`${metricsUrl}/metrics`)).text();
    expect(text).toMatch(/^tps_words_counted_total\{.*\} 4$/m);
    expect(text).toMatch(
      /^tps_worker_attempts_total\{.*signal_type="count-words",status="succeeded".*\} 1$/m,
    );
  });

  test('it goes as it came: at once, with what waits for the next of its kind', async () => {
    own.kill('SIGTERM');
    const [code] = (await once(own, 'exit')) as [number];
    expect(code).toBe(0);
    const accepted = await fleet.post(
      'count-words',
      { text: 'later' },
      { headers: { prefer: 'respond-async' } },
    );
    expect(accepted.body).toMatchObject({ status: 'queued' });
    expect((await fleet.post('execute', { task: 'demo' })).body.status).toBe('succeeded');
  }, 40_000);
});
