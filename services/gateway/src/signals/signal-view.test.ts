import { sampleOutcome } from '@tps/testkit';
import { type GatewayHarness, startGateway } from '../testing/harness';

const UNKNOWN = '018f4f6e-0000-7000-8000-00000000ffff';
const TRACE = 'a'.repeat(32);
const BODY = { signal_type: 'execute', payload: {} };

describe('/signal/:id', () => {
  let gateway: GatewayHarness;
  beforeAll(async () => (gateway = await startGateway()));
  afterAll(() => gateway.stop());
  beforeEach(() => gateway.fleet.reset());

  async function queued(): Promise<string> {
    gateway.fleet.behaviour = { ...gateway.fleet.behaviour, work: () => null };
    const { body } = await gateway.http.post('/signal').set({ prefer: 'respond-async' }).send(BODY);
    return (body as { signal_id: string }).signal_id;
  }

  test('shows a waiting signal', async () => {
    const id = await queued();
    const { status, body } = await gateway.http.get(`/signal/${id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ signal_id: id, status: 'queued', final: false, success: null, run: 0 });
    expect(body).toMatchObject({ message: 'Accepted', trace_id: TRACE });
    expect((body as { runs: object[] }).runs).toEqual([
      { run: 0, status: 'queued', attempt: 0, trace_id: TRACE },
    ]);
    expect((body as { timeline: object[] }).timeline).toEqual([
      { at: expect.any(String) as string, event: 'accepted', run: 0 },
    ]);
  });

  test('shows attempts and the outcome', async () => {
    const id = await queued();
    const { signal } = gateway.fleet.signals[0]!;
    gateway.fleet.records.set(id, [sampleOutcome({ signal_id: id, status: 'retrying', message: 'no luck' })]);
    expect((await gateway.http.get(`/signal/${id}`)).body).toMatchObject({ status: 'retrying', attempt: 1 });
    gateway.fleet.finish(signal, { attempt: 2, result: { a: 1 } });
    const { body } = await gateway.http.get(`/signal/${id}`);
    expect(body).toMatchObject({
      status: 'succeeded',
      success: true,
      final: true,
      result: { a: 1 },
      attempt: 2,
    });
    const events = (body as { timeline: { event: string }[] }).timeline.map(({ event }) => event);
    expect(events).toEqual(['accepted', 'started', 'attempt_failed', 'started', 'finished']);
  });

  test('a run that goes on is as the signal is, whatever was recorded of it before', async () => {
    const id = await queued();
    gateway.fleet.records.set(id, [
      sampleOutcome({ signal_id: id, status: 'returned', message: 'released' }),
    ]);
    expect((await gateway.http.get(`/signal/${id}`)).body).toMatchObject({
      status: 'queued',
      message: 'Accepted',
      runs: [{ run: 0, status: 'queued' }],
    });
  });

  test('knows an id in capitals', async () => {
    const id = await queued();
    gateway.fleet.finish(gateway.fleet.signals[0]!.signal);
    expect((await gateway.http.get(`/signal/${id.toUpperCase()}`)).body).toMatchObject({ signal_id: id });
  });

  test('waits when asked to', async () => {
    const id = await queued();
    setTimeout(() => gateway.fleet.finish(gateway.fleet.signals[0]!.signal), 200);
    const { body, headers } = await gateway.http.get(`/signal/${id}`).set({ prefer: 'wait=5' });
    expect(body).toMatchObject({ status: 'succeeded' });
    expect(headers['preference-applied']).toBe('wait=5');
  });

  test('waits no longer than asked', async () => {
    const id = await queued();
    expect((await gateway.http.get(`/signal/${id}`).set({ prefer: 'wait=1' })).body).toMatchObject({
      status: 'queued',
    });
  });

  test('tells unknown from malformed ids, and both from not knowing', async () => {
    expect((await gateway.http.get(`/signal/${UNKNOWN}`)).body).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
    expect((await gateway.http.get('/signal/abc')).body).toMatchObject({
      status: 400,
      code: 'INVALID_REQUEST',
    });
    gateway.fleet.leave('andon');
    expect((await gateway.http.get(`/signal/${UNKNOWN}`)).body).toMatchObject({
      status: 503,
      code: 'UNAVAILABLE',
    });
  });

  test('tells an id that is older than the records from one that never was', async () => {
    gateway.fleet.reach = { since: '2026-11-28T12:00:00.000Z', hours: 9.9, promised_hours: 24 };
    const idOf = (time: string): string => {
      const hex = Date.parse(time).toString(16).padStart(12, '0');
      return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
    };
    const before = await gateway.http.get(`/signal/${idOf('2026-11-28T11:59:59Z')}`);
    expect(before.status).toBe(404);
    expect(before.body).toMatchObject({ code: 'BEYOND_RECORDS', reach: gateway.fleet.reach });
    const after = await gateway.http.get(`/signal/${idOf('2026-11-28T12:00:01Z')}`);
    expect(after.body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    // The id of a signal with an Idempotency-Key tells no time.
    const keyed = await gateway.http.get('/signal/285f1cef-995b-508d-a262-8a3c9acc7183');
    expect(keyed.body).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('takes back what has not started', async () => {
    const id = await queued();
    const { signal } = gateway.fleet.signals[0]!;
    gateway.fleet.behaviour.cancel = () => ({
      cancelled: true,
      outcome: gateway.fleet.finish(signal, { status: 'cancelled', success: false }),
    });
    const { status, body } = await gateway.http.delete(`/signal/${id}`);
    expect({ status, body: body }).toMatchObject({
      status: 200,
      body: { status: 'cancelled', signal_id: id },
    });
    gateway.fleet.behaviour.cancel = () => ({ cancelled: false, reason: 'not_found' });
    expect((await gateway.http.delete(`/signal/${id}`)).body).toMatchObject({
      status: 409,
      code: 'ALREADY_FINISHED',
    });
    expect((await gateway.http.delete(`/signal/${UNKNOWN}`)).body).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
    gateway.fleet.behaviour.cancel = () => ({ cancelled: false, reason: 'started' });
    expect((await gateway.http.delete(`/signal/${id}`)).body).toMatchObject({
      status: 409,
      code: 'ALREADY_STARTED',
    });
    gateway.fleet.behaviour.cancel = () => ({ cancelled: false, reason: 'unavailable' });
    expect((await gateway.http.delete(`/signal/${id}`)).body).toMatchObject({
      status: 503,
      code: 'UNAVAILABLE',
    });
  });
});
