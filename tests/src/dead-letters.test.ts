import { Type } from '@sinclair/typebox';
import { type ServiceHandle, startService } from '@tps/service';
import { TraceCollector, waitFor } from '@tps/testkit';
import { defineSignal, TransientError, workerService } from '@tps/worker';
import { type Answer, Fleet, type SignalAnswer } from './fleet';

interface Letters {
  items: { signal_id: string; run: number; status: string; error_class: string; message: string }[];
  next: string | null;
  total: number;
}
interface Redrive {
  id: string;
  state: string;
  matched: number;
  redriven: number;
  remaining: number;
  stopped?: { at: string; signal_id: string; status: string };
}

/** Does what failed stay, and can it be run again, once, when the reason is gone? */
describe('dead letters', () => {
  let fleet: Fleet;
  let collector: TraceCollector;
  let station: ServiceHandle;
  let broken = false;
  /** Runs as the handler saw them, by signal id. */
  const ran: string[] = [];
  const flaky = defineSignal({
    name: 'flaky',
    input: Type.Object({ n: Type.Integer() }),
    output: Type.Null(),
    retry: { max_attempts: 1 },
    run: (_, { signal }) => {
      ran.push(signal.id);
      if (broken) throw new TransientError('the other side is down');
      return null;
    },
  });

  beforeAll(async () => {
    collector = await TraceCollector.start();
    fleet = await Fleet.start({ TPS_CB_THRESHOLD: '1000', JAEGER_ENDPOINT: collector.url });
    const env = { NATS_URL: fleet.environment.NATS_URL, METRICS_PORT: 'disabled', LOG_LEVEL: 'error' };
    station = await startService(
      workerService({}, () => ({ signals: [flaky] })),
      env,
      (error) => console.error(error),
    );
    await waitFor('the type', async () => (await fleet.post('flaky', { n: 0 })).status === 202);
  }, 90_000);
  afterAll(async () => {
    await station?.stop();
    await fleet?.stop();
    await collector?.stop();
  }, 60_000);

  const letters = (query = ''): Promise<Answer<Letters>> => fleet.get<Letters>(`/kanban/dead${query}`);
  const call = <T = SignalAnswer>(path: string, body?: object, headers = {}): Promise<Answer<T>> =>
    fleet.call<T>('POST', path, body, headers);
  const finished = (id: string): Promise<SignalAnswer & { run: number; runs: { trace_id: string }[] }> =>
    waitFor(
      `the end of ${id}`,
      async () => {
        const { body } = await fleet.get<SignalAnswer & { final: boolean; run: number; runs: never[] }>(
          `/signal/${id}`,
          { prefer: 'wait=5' },
        );
        return body.final ? body : null;
      },
      { limitMs: 20_000 },
    );
  /** Fails so many signals for good. */
  async function failed(count: number): Promise<string[]> {
    broken = true;
    const ids = await Promise.all(Array.from({ length: count }, (_, n) => fleet.send('flaky', { n })));
    for (const id of ids) expect((await finished(id)).status).toBe('failed');
    return ids;
  }
  const runsOf = (ids: string[]): string[] => ran.filter((id) => ids.includes(id));

  test('failed signals are listed by filter and in pages, and shown with their payload', async () => {
    const ids = await failed(3);
    const page = await letters('?type=flaky&class=transient&limit=2');
    expect(page).toMatchObject({ status: 200, body: { total: 3 } });
    expect(page.body.items[0]).toMatchObject({
      status: 'failed',
      run: 0,
      message: expect.any(String) as string,
    });
    const rest = await letters(`?type=flaky&limit=2&cursor=${page.body.next}`);
    const listed = [...page.body.items, ...rest.body.items].map(({ signal_id }) => signal_id);
    expect(listed.sort()).toEqual([...ids].sort());
    expect(rest.body.next).toBeNull();
    expect((await letters('?type=validate')).body.total).toBe(0);
    const one = await fleet.get(`/kanban/dead/${ids[0]}`);
    expect(one.body).toMatchObject({ signal_id: ids[0], payload: { n: 0 } });
    for (const wrong of ['?class=bad', '?limit=0', '?since=yesterday', '?cursor=x', '?what=1']) {
      expect(await letters(wrong)).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    }
    const signals = await fleet.get<Letters>('/signals?type=flaky&status=failed&class=transient');
    expect(signals.body.items.map(({ signal_id }) => signal_id).sort()).toEqual([...ids].sort());
    expect((await fleet.get<Letters>('/signals?limit=1')).body.items).toHaveLength(1);
    for (const wrong of ['status=bad', 'status=failed,queued', 'status=queued&class=defect', 'cursor=-1']) {
      expect(await fleet.get(`/signals?${wrong}`)).toMatchObject({ status: 400 });
    }
    expect((await fleet.get('/kanban/dead/018f4f6e-0000-7000-8000-00000000ffff')).status).toBe(404);
  }, 60_000);

  test('a retry is a new run with a trace of its own, linked to the one before; it answers like a new signal', async () => {
    const [id] = (await failed(1)) as [string];
    const before = await finished(id);
    const again = await call(`/signal/${id}/retry`);
    expect(again).toMatchObject({ status: 202, body: { success: false, status: 'failed', signal_id: id } });
    broken = false;
    const good = await call(`/signal/${id}/retry`);
    expect(good).toMatchObject({ status: 202, body: { success: true, status: 'succeeded', signal_id: id } });
    expect(good.body.trace_id).not.toBe(before.trace_id);
    const view = await finished(id);
    const listed = (await fleet.get<Letters>('/signals?type=flaky')).body.items;
    expect(listed.filter(({ signal_id }) => signal_id === id)).toMatchObject([
      { run: 2, status: 'succeeded' },
    ]);
    expect(view).toMatchObject({ run: 2, status: 'succeeded' });
    expect(view.runs.map(({ trace_id }) => trace_id)).toEqual([
      before.trace_id,
      again.body.trace_id,
      good.body.trace_id,
    ]);
    await waitFor('the link', () =>
      collector
        .ofTrace(good.body.trace_id)
        .some(({ links }) => links?.some(({ traceId }) => traceId === again.body.trace_id)),
    );
    expect(await call(`/signal/${id}/retry`)).toMatchObject({ status: 409, body: { code: 'NOT_RETRYABLE' } });
    expect((await call('/signal/018f4f6e-0000-7000-8000-00000000ffff/retry')).status).toBe(404);
    expect((await fleet.get(`/kanban/dead/${id}`)).status).toBe(404);
  }, 60_000);

  test('a signal that is under way or was rejected is not requeued; a requeued one need not be waited for', async () => {
    const slow = await fleet.send('execute', { chaos: { sleep_ms: 1_000 } });
    const open = await waitFor('it to run', async () => {
      const { body } = await fleet.get<Letters>('/signals?type=execute&status=running');
      return body.items.find(({ signal_id }) => signal_id === slow);
    });
    expect(open).toMatchObject({ status: 'running', signal_type: 'execute', run: 0 });
    expect(await call(`/signal/${slow}/retry`)).toMatchObject({ status: 409 });
    const { body } = await fleet.post('validate', {});
    expect(await call(`/signal/${body.signal_id}/retry`)).toMatchObject({ status: 409 });
    const [id] = (await failed(1)) as [string];
    broken = false;
    const accepted = await call(`/signal/${id}/retry`, undefined, { prefer: 'respond-async' });
    expect(accepted).toMatchObject({ status: 202, body: { success: null, status: 'queued' } });
    expect(
      await waitFor('the new run', async () => ((await finished(id)).run === 1 ? finished(id) : null)),
    ).toMatchObject({ status: 'succeeded' });
    expect(await finished(slow)).toMatchObject({ status: 'succeeded' });
  }, 60_000);

  test('a redrive stops itself at a probe while nothing is repaired, and then runs each once, over a killed kanban', async () => {
    await fleet.call('DELETE', '/kanban/dead', { filter: { type: 'flaky' } });
    const ids = await failed(40);
    ran.length = 0;
    const order = { filter: { type: 'flaky' }, probe: [1, 5], max_per_s: 10 };
    const dry = await call('/kanban/dead/redrive', { ...order, dry_run: true });
    expect(dry).toMatchObject({ status: 200, body: { matched: 40, types: { flaky: 40 } } });
    const stopped = await call<Redrive>('/kanban/dead/redrive', order);
    expect(stopped).toMatchObject({
      status: 202,
      body: { state: 'stopped', redriven: 1, stopped: { at: 'probe 1 of 2', status: 'failed' } },
    });
    expect(runsOf(ids)).toEqual([stopped.body.stopped?.signal_id]);
    expect((await letters('?type=flaky')).body.total).toBe(40);

    broken = false;
    ran.length = 0;
    const started = await call<Redrive>('/kanban/dead/redrive', order, { prefer: 'respond-async' });
    expect(started.body.state).toBe('running');
    await waitFor('a part of it', () => runsOf(ids).length > 10);
    await fleet.kill('kanban-1');
    const path = started.headers.get('location') ?? '';
    const done = await waitFor(
      'the end',
      async () => {
        const { status, body } = await fleet.get<Redrive>(path, { prefer: 'wait=5' });
        return status === 200 && body.state !== 'running' ? body : null;
      },
      { limitMs: 60_000 },
    );
    expect(done).toMatchObject({ state: 'completed', matched: 40 });
    await waitFor('all deliveries', () => runsOf(ids).length >= 40);
    for (const id of ids) expect((await finished(id)).status).toBe('succeeded');
    expect(runsOf(ids).sort()).toEqual([...ids].sort());
    expect((await letters('?type=flaky')).body.total).toBe(0);
  }, 120_000);

  test('letters are deleted by a filter, never without one', async () => {
    const [id, other] = (await failed(2)) as [string, string];
    expect(await fleet.call('DELETE', '/kanban/dead')).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST' },
    });
    expect(await fleet.call('DELETE', '/kanban/dead', { filter: {} })).toMatchObject({ status: 400 });
    expect(await fleet.call('DELETE', `/kanban/dead?id=${id}`)).toMatchObject({
      status: 200,
      body: { deleted: 1, remaining: 0 },
    });
    expect((await letters()).body.items.map(({ signal_id }) => signal_id)).toEqual([other]);
    expect(await call(`/signal/${id}/retry`)).toMatchObject({ status: 409, body: { code: 'NOT_RETRYABLE' } });
  }, 60_000);
});
