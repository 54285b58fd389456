import { waitFor } from '@tps/testkit';
import { Fleet } from './fleet';

/** Does a signal travel the whole line, and does every answer say the truth? */
describe('the line', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ TPS_CB_THRESHOLD: '3', TPS_CB_TIMEOUT: '2' });
  }, 90_000);
  afterAll(() => fleet?.stop(), 60_000);

  test.each([
    ['execute', { task: 'demo' }, 'Execution successful'],
    ['validate', { data: [1, 2, 3] }, 'Validation successful'],
    ['validate', { data: { n: 1 }, schema: { type: 'object', required: ['n'] } }, 'Validation successful'],
    ['report', {}, 'Report generated'],
  ])('%s %j answers "%s"', async (type, payload, message) => {
    const { status, body } = await fleet.post(type, payload);
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { success: true, status: 'succeeded', message },
    });
    expect(body.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(body.signal_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('the sender is told what is wrong with a signal', async () => {
    const rejected = await fleet.post('validate', { data: 'x', schema: { type: 'number' } });
    expect(rejected.body).toMatchObject({ success: false, status: 'rejected' });
    const unknown = await fleet.post('nope', {});
    expect(unknown).toMatchObject({ status: 400, body: { success: false, code: 'UNKNOWN_SIGNAL_TYPE' } });
  });

  test('an asynchronous signal is followed to its outcome by its id', async () => {
    const accepted = await fleet.post('execute', { task: 'demo' }, { headers: { prefer: 'respond-async' } });
    expect(accepted.body).toMatchObject({ success: null, status: 'queued' });
    const location = accepted.headers.get('location') ?? '';
    expect(location).toBe(`/signal/${accepted.body.signal_id}`);
    const { body } = await fleet.get(location, { prefer: 'wait=10' });
    expect(body).toMatchObject({ status: 'succeeded', attempt: 1, trace_id: accepted.body.trace_id });
    expect(body.timeline).toEqual(expect.arrayContaining([expect.objectContaining({ event: 'accepted' })]));
  });

  test('a failed attempt is tried again', async () => {
    const { body } = await fleet.post('validate', { data: 1, chaos: { fail: 'transient', fail_first: 1 } });
    expect(body.status).toBe('succeeded');
    const record = await fleet.get(`/signal/${body.signal_id}`);
    expect(record.body.attempt).toBe(2);
  });

  test('a defect is not', async () => {
    const { body } = await fleet.post('validate', { chaos: { fail: 'defect' } });
    expect(body).toMatchObject({ success: false, status: 'failed' });
    const record = await fleet.get(`/signal/${body.signal_id}`);
    expect(record.body).toMatchObject({ attempt: 1, error_class: 'defect' });
  });

  test('one key is one signal, also for fifty at once and afterwards', async () => {
    const headers = { 'idempotency-key': 'order-17' };
    const all = await Promise.all(
      Array.from({ length: 50 }, () => fleet.post('execute', { task: 'demo', order: 17 }, { headers })),
    );
    expect(new Set(all.map(({ body }) => body.signal_id)).size).toBe(1);
    expect(new Set(all.map(({ body }) => body.status))).toEqual(new Set(['succeeded']));
    const later = await fleet.post('execute', { task: 'demo', order: 17 }, { headers });
    expect(later.body.signal_id).toBe(all[0]?.body.signal_id);
    const other = await fleet.post('execute', { task: 'demo', order: 18 }, { headers });
    expect(other.status).toBe(409);
  });

  test('a waiting signal can be cancelled, a running one cannot', async () => {
    const slow = { chaos: { sleep_ms: 3_000 } };
    const running = await Promise.all(Array.from({ length: 4 }, () => fleet.send('execute', slow)));
    await waitFor(
      'all slots to work',
      async () => (await fleet.get(`/signal/${running[3]}`)).body.status === 'running',
    );
    const waiting = await fleet.send('execute', { task: 'demo' });
    expect(await fleet.remove(`/signal/${running[0]}`)).toMatchObject({
      status: 409,
      body: { code: 'ALREADY_STARTED' },
    });
    expect((await fleet.remove(`/signal/${waiting}`)).status).toBe(200);
    const record = await fleet.get(`/signal/${waiting}`);
    expect(record.body).toMatchObject({ status: 'cancelled', final: true });
    expect((await fleet.remove(`/signal/${waiting}`)).body).toMatchObject({ code: 'ALREADY_FINISHED' });
  });

  test('a signal that cannot start in time expires unrun, and can be requeued at once', async () => {
    const slow = { chaos: { sleep_ms: 2_000 } };
    const running = await Promise.all(Array.from({ length: 4 }, () => fleet.send('execute', slow)));
    await waitFor(
      'all slots to work',
      async () => (await fleet.get(`/signal/${running[3]}`)).body.status === 'running',
    );
    const { body } = await fleet.post('execute', { task: 'demo' }, { timeout_ms: 300 });
    // The caller may hear of the expiry, or that the signal is still under way.
    expect(['expired', 'processing']).toContain(body.status);
    const record = await fleet.get(`/signal/${body.signal_id}`, { prefer: 'wait=10' });
    expect(record.body).toMatchObject({ status: 'expired', error_class: 'capacity' });
    for (const id of running) await fleet.get(`/signal/${id}`, { prefer: 'wait=10' });
    const again = await fleet.call('POST', `/signal/${body.signal_id}/retry`);
    expect(again).toMatchObject({ status: 202, body: { status: 'succeeded' } });
  });

  test('figures count each signal once and keep the sender out of the error rate', async () => {
    await waitFor('the line to be idle', async () => (await fleet.get('/health')).body.queue_depth === 0);
    const { body: before } = await fleet.get<Record<string, number>>('/metrics');
    await fleet.post('validate', { data: 1 });
    await fleet.post('validate', {});
    const { body: after } = await fleet.get<Record<string, number>>('/metrics');
    expect(after.total_processed).toBe(before.total_processed! + 1);
    expect(after.rejected).toBe(before.rejected! + 1);
    const text = await fleet.get<string>('/metrics', { accept: 'text/plain' });
    expect(text.body).toMatch(/^tps_signals_processed\{?.*\d$/m);
  });

  test('a failing type stops itself, leaves the others alone, and starts again after a good trial', async () => {
    // Attempts of one signal prove nothing about the line: three signals have to fail.
    const fails = { chaos: { fail: 'transient' } };
    await Promise.all([1, 2, 3].map(() => fleet.send('execute', fails)));
    const state = async (): Promise<unknown> => (await fleet.get('/health')).body.circuit_state;
    await waitFor('the circuit to open', async () => (await state()) === 'Open');
    const held = await fleet.post('execute', { task: 'demo' }, { headers: { prefer: 'respond-async' } });
    expect(held).toMatchObject({ status: 202, body: { success: null, status: 'held' } });
    const refused = await fleet.post('execute', { task: 'demo' });
    expect(refused.body.code).toBe('CIRCUIT_OPEN');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const health = await fleet.get('/health');
    expect(health.body).toMatchObject({ healthy: false, circuit_state: 'Open' });
    expect((await fleet.post('validate', { data: 1 })).body.status).toBe('succeeded');
    await waitFor(
      'the circuit to close',
      async () => (await fleet.post('execute', { task: 'demo' })).body.success,
      {
        everyMs: 200,
        limitMs: 30_000,
      },
    );
    await waitFor('health to say so', async () => (await state()) === 'Closed');
    const outcome = await fleet.get(`/signal/${held.body.signal_id}`, { prefer: 'wait=10' });
    expect(outcome.body).toMatchObject({ status: 'succeeded', attempt: 1 });
  }, 90_000);
});
