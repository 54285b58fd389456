import { openBucket } from '@tps/bus';
import type { AndonCall, Names, ReplyOf, StopRecord } from '@tps/contracts';
import { sampleCall, waitFor } from '@tps/testkit';
import { type GatewayHarness, startGateway } from '../testing/harness';

const CORD = { signal_type: 'execute', mode: 'stop', reason: 'wrong results', by: 'alice' };

describe('the andon over HTTP', () => {
  let gateway: GatewayHarness;
  const asked: [subject: string, request: unknown][] = [];
  let reply: ReplyOf<'pull'> | ReplyOf<'history'> | ReplyOf<'charts'>;

  /** andon, as far as the gateway asks it for calls. */
  const serve = ({ pull, acknowledge, resume, history, charts }: Names['subjects']): void => {
    for (const subject of [pull, acknowledge, resume, history, charts]) {
      gateway.fleet.bus.nc.subscribe(subject, {
        callback: (_, msg) => {
          asked.push([subject, msg.json()]);
          msg.respond(JSON.stringify(reply));
        },
      });
    }
  };
  beforeAll(async () => {
    gateway = await startGateway();
    serve(gateway.fleet.bus.names.subjects);
  });
  afterAll(() => gateway.stop());
  beforeEach(() => {
    gateway.fleet.reset();
    asked.length = 0;
    reply = { call: sampleCall() };
  });

  test('the cord is pulled, and its id comes back', async () => {
    const { status, body } = await gateway.http.post('/andon/cord').send(CORD);
    expect({ status, body }).toMatchObject({ status: 201, body: { id: 'call-1', mode: 'call' } });
    expect(asked[0]?.[1]).toEqual(expect.objectContaining(CORD));
    const { by: _by, ...anonymous } = CORD;
    await gateway.http.post('/andon/cord').send(anonymous);
    expect(asked[1]?.[1]).toMatchObject({ by: 'unknown' });
  });

  test.each([
    ['nothing', {}, 'INVALID_REQUEST'],
    ['another mode', { ...CORD, mode: 'halt' }, 'INVALID_REQUEST'],
    ['an empty reason', { ...CORD, reason: ' ' }, 'INVALID_REQUEST'],
    ['a field that is not known', { ...CORD, wait: 1 }, 'INVALID_REQUEST'],
    ['no time to respond', { ...CORD, respond_within_ms: 0 }, 'INVALID_REQUEST'],
    ['a type nobody knows', { ...CORD, signal_type: 'nope' }, 'UNKNOWN_SIGNAL_TYPE'],
  ])('a pull with %s is refused and reaches nobody', async (_, sent, code) => {
    const { status, body } = await gateway.http.post('/andon/cord').send(sent);
    expect({ status, body }).toMatchObject({ status: 400, body: { code } });
    expect(asked).toEqual([]);
  });

  test('acknowledging and resuming pass on who and what, and say why they could not be done', async () => {
    const act = { owner: 'bob', countermeasure: 'oiled it' };
    expect((await gateway.http.post('/andon/Call-1/ack').send({ owner: 'bob' })).status).toBe(200);
    expect((await gateway.http.post('/andon/call-1/resume').send(act)).status).toBe(200);
    expect(asked.map(([, request]) => request)).toEqual([
      { v: 1, id: 'call-1', owner: 'bob', eta_ms: 1_800_000 },
      { v: 1, id: 'call-1', ...act, force: false },
    ]);
    for (const [refused, status, code] of [
      ['not_found', 404, 'NOT_FOUND'],
      ['closed', 409, 'CALL_CLOSED'],
      ['unavailable', 503, 'UNAVAILABLE'],
      ['same_countermeasure', 409, 'SAME_COUNTERMEASURE'],
    ] as const) {
      reply = { refused, reason: 'because' };
      const answer = await gateway.http.post('/andon/call-1/resume').send(act);
      expect(answer).toMatchObject({ status, body: { code, message: 'because' } });
    }
    const { status } = await gateway.http.post('/andon/call-1/resume').send({ owner: 'bob' });
    expect(status).toBe(400);
    for (const eta_ms of [0, 999, 604_800_001, 1.5, 'soon']) {
      const { body } = await gateway.http.post('/andon/call-1/ack').send({ owner: 'bob', eta_ms });
      expect(body).toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });

  test('a page of the history by type or by station', async () => {
    reply = { items: [], next: '7' };
    const path = '/andon/history?type=execute&colour=RED&limit=5&cursor=12&since=2026-01-25T12:00:00Z';
    const { status, body } = await gateway.http.get(path);
    expect({ status, body }).toMatchObject({ status: 200, body: { items: [], next: '7' } });
    expect(asked[0]?.[1]).toEqual({
      v: 1,
      line: 'execute',
      colour: 'RED',
      limit: 5,
      cursor: '12',
      since: '2026-01-25T12:00:00Z',
    });
    await gateway.http.get('/andon/history?station=kanban');
    expect(asked[1]?.[1]).toEqual({ v: 1, line: 'station:kanban' });
    for (const wrong of [
      'limit=0',
      'cursor=x',
      'cursor=0',
      'colour=BLUE',
      'since=yesterday',
      'type=a&station=kanban',
    ]) {
      expect((await gateway.http.get(`/andon/history?${wrong}`)).status).toBe(400);
    }
  });

  test('the charts of all lines or of one', async () => {
    const line = { finished: [4, 0], failed: [1, 0], waiting: [null, 2] };
    const at = '2026-01-25T12:00:00.000Z';
    reply = { v: 1, step_ms: 10_000, from: at, lines: { execute: line }, left_out: 0 };
    const { status, body } = await gateway.http.get('/andon/charts?type=execute');
    expect({ status, body }).toEqual({ status: 200, body: reply });
    await gateway.http.get('/andon/charts');
    expect(asked.map(([, request]) => request)).toEqual([{ v: 1, type: 'execute' }, { v: 1 }]);
    expect((await gateway.http.get('/andon/charts?minutes=5')).status).toBe(400);
  });

  test('while jidoka is away, a stop by people counts as well, and an async signal may be held', async () => {
    const bucket = await openBucket(gateway.fleet.bus, gateway.fleet.bus.names.buckets.stops, 1);
    const call = sampleCall({ mode: 'stop', intake: 'hold' });
    const record: StopRecord = { v: 1, line: 'execute', call, stops: [], resolved: [], unlogged: [] };
    const since = new Date().toISOString();
    await bucket.put('execute', JSON.stringify({ ...record, stops: [[since]] }));
    const health = async () =>
      (await gateway.http.get('/health')).body as { circuits: Record<string, object> } & object;
    await waitFor('the stop', async () => 'andon_id' in ((await health()).circuits.execute ?? {}));
    expect(await health()).toMatchObject({
      healthy: false,
      circuit_state: 'Open',
      circuits: { execute: { state: 'Open', reason: 'smells burnt', since, andon_id: 'call-1' } },
    });
    gateway.fleet.leave('jidoka');
    const body = { signal_type: 'execute', payload: {} };
    const refused = await gateway.http.post('/signal').send(body);
    expect(refused).toMatchObject({
      status: 503,
      body: { code: 'LINE_STOPPED', message: 'smells burnt', andon_id: 'call-1' },
    });
    gateway.fleet.behaviour.work = () => null;
    const held = await gateway.http.post('/signal').set({ prefer: 'respond-async' }).send(body);
    expect(held).toMatchObject({ status: 202, body: { status: 'held' } });
    const stop = async (type: string, intake: AndonCall['intake']): Promise<unknown> => {
      const stopped = { ...record, line: type, call: { ...call, line: type, intake }, stops: [[since]] };
      return bucket.put(type, JSON.stringify(stopped));
    };
    for (const type of ['broken', 'strict']) await stop(type, 'refuse');
    await stop('execute', 'refuse');
    await waitFor('no work to be accepted', async () => (await gateway.http.get('/health')).status === 503);
    await stop('execute', 'hold');
    await waitFor('some to be kept', async () => (await gateway.http.get('/health')).status === 200);
    for (const type of ['broken', 'strict']) await bucket.delete(type);
    const view = await gateway.http.get(`/signal/${String(held.body.signal_id)}`);
    expect(view.body).toMatchObject({ status: 'held' });
    gateway.fleet.reset();
    await bucket.put('execute', JSON.stringify({ ...record, call: undefined }));
    await waitFor(
      'the line to run',
      async () => (await gateway.http.post('/signal').send(body)).status === 202,
    );
  });
});
