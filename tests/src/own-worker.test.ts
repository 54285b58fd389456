import { waitFor } from '@tps/testkit';
import { Fleet } from './fleet';
import { OwnWorkerProcess } from './own-worker-process';

const TYPE = 'count-words';

/** Does a process of the user's own join a running fleet, with nothing of the fleet changed? */
describe("the example of a user's own worker", () => {
  let fleet: Fleet;
  let own: OwnWorkerProcess;
  beforeAll(async () => {
    fleet = await Fleet.start();
    expect((await fleet.post(TYPE, { text: 'x' })).body.code).toBe('UNKNOWN_SIGNAL_TYPE');
    own = await OwnWorkerProcess.start(fleet, 'own-1');
  }, 90_000);
  afterAll(async () => {
    own?.kill();
    await fleet?.stop();
  }, 60_000);

  const done = (): Promise<unknown> =>
    waitFor('the type to be known', async () => {
      const answer = await fleet.post(TYPE, { text: 'to be or not' });
      return answer.status === 202 ? answer.body : null;
    });
  interface Board {
    colour: string;
    lines: Record<string, { colour: string; rule: string; andon_id: string }>;
    calls: unknown[];
  }
  const board = async (): Promise<Board> =>
    (await fleet.get<Board>('/andon', { accept: 'application/json' })).body;

  test("its type is known, its input checked, its result given; its faults are the sender's", async () => {
    expect(await done()).toMatchObject({ success: true, status: 'succeeded', result: { words: 4 } });
    const invalid = await fleet.post(TYPE, { text: 7 });
    expect(invalid).toMatchObject({ status: 400, body: { code: 'INVALID_SIGNAL' } });
    const empty = await fleet.post(TYPE, { text: ' ' });
    expect(empty.body).toMatchObject({ success: false, status: 'rejected' });
  });

  test('it is on the boards and serves metrics of its own', async () => {
    const shown = async (): Promise<unknown> => {
      const { body } = await fleet.get<{ distribution: object }>('/heijunka');
      return 'own-1' in body.distribution;
    };
    await waitFor('the distribution', shown);
    const { body: kanban } = await fleet.get<{ types: Record<string, object> }>('/kanban');
    expect(kanban.types[TYPE]).toMatchObject({ cards: 'default', limit: 4 });
    const { body: types } = await fleet.get<{ items: { name: string }[] }>('/types');
    expect(types.items.find(({ name }) => name === TYPE)).toMatchObject({
      ...{ timeout_ms: 5_000, served: true, workers: 1, slots: 4, line: { state: 'Closed' } },
      queue: { waiting: 0, in_progress: 0, held: 0 },
    });
    const text = await (await fetch(`${own.metricsUrl}/metrics`)).text();
    expect(text).toMatch(/^tps_words_counted_total\{.*\} 4$/m);
    expect(text).toMatch(
      /^tps_worker_attempts_total\{.*signal_type="count-words",status="succeeded".*\} 1$/m,
    );
  });

  test('a type that a worker serves is not retired, and the answer names the worker', async () => {
    expect(await fleet.remove(`/types/${TYPE}`)).toMatchObject({
      status: 409,
      body: { code: 'TYPE_SERVED', workers: ['own-1'] },
    });
    expect((await fleet.post(TYPE, { text: 'still here' })).body.status).toBe('succeeded');
  });

  let waiting: string;
  test('it goes as it came: at once, with what waits for the next of its kind', async () => {
    expect(await own.stop()).toBe(0);
    waiting = await fleet.send(TYPE, { text: 'later' });
    expect((await fleet.post('execute', { task: 'demo' })).body.status).toBe('succeeded');
  }, 40_000);

  test('its line is RED without it; resuming does not help, and says what does', async () => {
    const id = await waitFor('a red line', async () => {
      const line = (await board()).lines[TYPE];
      return line?.rule === 'no_worker' ? line.andon_id : null;
    });
    const resume = (): Promise<unknown> =>
      fleet.call('POST', `/andon/${id}/resume`, { owner: 'me', countermeasure: 'none' });
    expect(await resume()).toMatchObject({ status: 200 });
    expect(await resume()).toMatchObject({
      status: 409,
      body: { code: 'CALL_CLOSED', message: expect.stringContaining(`DELETE /types/${TYPE}`) as string },
    });
  });

  test('the type with work left stays; without it, it is retired, and every board is quiet', async () => {
    const retire = (type = TYPE): Promise<unknown> =>
      fleet.call('DELETE', `/types/${type}`, { reason: 'not needed', by: 'bob' });
    expect(await retire()).toMatchObject({ status: 409, body: { code: 'TYPE_HAS_WORK', waiting: 1 } });
    expect((await fleet.remove(`/signal/${waiting}`)).status).toBe(200);
    expect(await retire()).toMatchObject({ status: 200, body: { by: 'bob', reason: 'not needed' } });
    expect(await retire()).toMatchObject({ status: 404, body: { code: 'UNKNOWN_TYPE' } });
    // The same worker served this one, too.
    expect(await retire('count-primes')).toMatchObject({ status: 200 });

    const quiet = await waitFor('a quiet board', async () => {
      const now = await board();
      return now.colour === 'GREEN' ? now : null;
    });
    expect([Object.keys(quiet.lines).includes(TYPE), quiet.calls]).toEqual([false, []]);
    for (const path of [
      '/jidoka',
      '/kanban',
      '/heijunka',
      '/types',
      '/info',
      '/health',
      '/kaizen/suggestions',
    ]) {
      expect([path, JSON.stringify((await fleet.get(path)).body).includes(TYPE)]).toEqual([path, false]);
    }
    const { body: metrics } = await fleet.get<string>('/metrics', { accept: 'text/plain' });
    expect(metrics).not.toContain(TYPE);
    const { body: history } = await fleet.get<{ items: object[] }>(`/andon/history?type=${TYPE}&limit=1`);
    expect(history.items).toMatchObject([
      { event: 'retired', colour: 'GREEN', was: 'RED', by: 'bob', reason: 'not needed' },
    ]);
    expect(await fleet.post(TYPE, { text: 'x' })).toMatchObject({
      status: 400,
      body: { code: 'UNKNOWN_SIGNAL_TYPE', message: expect.stringContaining('retired by bob') as string },
    });
  });

  test('a worker that comes later brings the type back', async () => {
    own = await OwnWorkerProcess.start(fleet, 'own-2');
    expect(await done()).toMatchObject({ status: 'succeeded' });
    await waitFor('a green line', async () => (await board()).lines[TYPE]?.colour === 'GREEN');
  }, 40_000);
});
