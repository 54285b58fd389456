import { sampleOutcome } from '@tps/testkit';
import { type Rig, startRig } from '../testing/rig';

const UNKNOWN = '018f4f6e-0000-7000-8000-00000000ffff';
const TRACE = 'a'.repeat(32);
const BODY = { signal_type: 'execute', payload: {} };

describe('/signal/:id', () => {
  let rig: Rig;
  beforeAll(async () => (rig = await startRig()));
  afterAll(() => rig.stop());
  beforeEach(() => rig.fleet.reset());

  async function queued(): Promise<string> {
    rig.fleet.behaviour = { ...rig.fleet.behaviour, work: () => null };
    const { body } = await rig.http.post('/signal').set({ prefer: 'respond-async' }).send(BODY);
    return (body as { signal_id: string }).signal_id;
  }

  test('shows a waiting signal', async () => {
    const id = await queued();
    const { status, body } = await rig.http.get(`/signal/${id}`);
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
    const { signal } = rig.fleet.signals[0]!;
    rig.fleet.records.set(id, [sampleOutcome({ signal_id: id, status: 'retrying', message: 'no luck' })]);
    expect((await rig.http.get(`/signal/${id}`)).body).toMatchObject({ status: 'retrying', attempt: 1 });
    rig.fleet.finish(signal, { attempt: 2, result: { a: 1 } });
    const { body } = await rig.http.get(`/signal/${id}`);
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
    rig.fleet.records.set(id, [sampleOutcome({ signal_id: id, status: 'returned', message: 'handed back' })]);
    expect((await rig.http.get(`/signal/${id}`)).body).toMatchObject({
      ...{ status: 'queued', message: 'Accepted' },
      runs: [{ run: 0, status: 'queued' }],
    });
  });

  test('knows an id in capitals', async () => {
    const id = await queued();
    rig.fleet.finish(rig.fleet.signals[0]!.signal);
    expect((await rig.http.get(`/signal/${id.toUpperCase()}`)).body).toMatchObject({ signal_id: id });
  });

  test('waits when asked to', async () => {
    const id = await queued();
    setTimeout(() => rig.fleet.finish(rig.fleet.signals[0]!.signal), 200);
    const { body, headers } = await rig.http.get(`/signal/${id}`).set({ prefer: 'wait=5' });
    expect(body).toMatchObject({ status: 'succeeded' });
    expect(headers['preference-applied']).toBe('wait=5');
  });

  test('waits no longer than asked', async () => {
    const id = await queued();
    expect((await rig.http.get(`/signal/${id}`).set({ prefer: 'wait=1' })).body).toMatchObject({
      status: 'queued',
    });
  });

  test('tells unknown from malformed ids, and both from not knowing', async () => {
    expect((await rig.http.get(`/signal/${UNKNOWN}`)).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect((await rig.http.get('/signal/abc')).body).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    rig.fleet.leave('andon');
    expect((await rig.http.get(`/signal/${UNKNOWN}`)).body).toMatchObject({
      status: 503,
      code: 'UNAVAILABLE',
    });
  });

  test('takes back what has not started', async () => {
    const id = await queued();
    const { signal } = rig.fleet.signals[0]!;
    rig.fleet.behaviour.cancel = () => ({
      cancelled: true,
      outcome: rig.fleet.finish(signal, { status: 'cancelled', success: false }),
    });
    const { status, body } = await rig.http.delete(`/signal/${id}`);
    expect({ status, body: body }).toMatchObject({
      status: 200,
      body: { status: 'cancelled', signal_id: id },
    });
    rig.fleet.behaviour.cancel = () => ({ cancelled: false, reason: 'not_found' });
    expect((await rig.http.delete(`/signal/${id}`)).body).toMatchObject({
      status: 409,
      code: 'ALREADY_FINISHED',
    });
    expect((await rig.http.delete(`/signal/${UNKNOWN}`)).body).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
    rig.fleet.behaviour.cancel = () => ({ cancelled: false, reason: 'started' });
    expect((await rig.http.delete(`/signal/${id}`)).body).toMatchObject({
      status: 409,
      code: 'ALREADY_STARTED',
    });
    rig.fleet.behaviour.cancel = () => ({ cancelled: false, reason: 'unavailable' });
    expect((await rig.http.delete(`/signal/${id}`)).body).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
  });
});
