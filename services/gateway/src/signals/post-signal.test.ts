import { request as httpRequest } from 'node:http';
import type { Signal } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { type GatewayHarness, startGateway } from '../testing/harness';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const BODY = { signal_type: 'execute', payload: { task: 'demo' } };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([57])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe('POST /signal', () => {
  let gateway: GatewayHarness;
  beforeAll(async () => (gateway = await startGateway({ JAEGER_ENDPOINT: 'http://127.0.0.1:9' })));
  afterAll(() => gateway.stop());
  beforeEach(() => gateway.fleet.reset());

  const post = (body: object = BODY, headers: Record<string, string> = {}) =>
    gateway.http.post('/signal').set(headers).send(body);

  test('answers with the outcome', async () => {
    gateway.fleet.behaviour.work = () => ({ result: { ok: 1 }, process_ms: 12 });
    const { status, body } = await post();
    expect(status).toBe(202);
    expect(body).toEqual({
      success: true,
      status: 'succeeded',
      signal_id: gateway.fleet.signals[0]!.signal.id,
      message: 'Execution successful',
      trace_id: gateway.fleet.signals[0]!.traceparent.split('-')[1],
      duration_ms: 12,
      result: { ok: 1 },
    });
    expect(UUID.exec((body as { signal_id: string }).signal_id)?.[1]).toBe('7');
    expect(gateway.fleet.signals[0]!.signal).toMatchObject({
      v: 1,
      run: 0,
      priority: 3,
      timeout_ms: 30_000,
      ...BODY,
    });
  });

  test('takes what curl -d sends', async () => {
    const sent = gateway.http.post('/signal').set({ 'content-type': 'application/x-www-form-urlencoded' });
    expect((await sent.send(JSON.stringify(BODY))).status).toBe(202);
  });

  test('tells a failed outcome with its class', async () => {
    gateway.fleet.behaviour.work = () => ({
      status: 'failed',
      success: false,
      message: 'no',
      error_class: 'transient',
    });
    expect((await post()).body).toMatchObject({ success: false, status: 'failed', error_class: 'transient' });
  });

  test('hears no attempt that is tried again', async () => {
    gateway.fleet.behaviour.work = (signal) => {
      gateway.fleet.finish(signal, { status: 'retrying', final: false, success: false });
      return { attempt: 2 };
    };
    expect((await post()).body).toMatchObject({ success: true, status: 'succeeded' });
  });

  test('respond-async answers when it is accepted', async () => {
    gateway.fleet.behaviour.work = () => null;
    const { status, body, headers } = await post(BODY, { prefer: 'respond-async' });
    const id = gateway.fleet.signals[0]!.signal.id;
    expect(status).toBe(202);
    expect(body).toMatchObject({ success: null, status: 'queued', signal_id: id, duration_ms: 0 });
    expect(headers).toMatchObject({ location: `/signal/${id}`, 'preference-applied': 'respond-async' });
    expect(gateway.fleet.signals[0]!.signal).toMatchObject({ timeout_ms: 86_400_000 });
    expect(gateway.fleet.signals[0]!.signal.reply_to).toBeUndefined();
  });

  test('says processing, or held, when time is up', async () => {
    gateway.fleet.behaviour.work = () => null;
    const { status, body, headers } = await post({ ...BODY, timeout_ms: 150 });
    expect(status).toBe(202);
    expect(body).toMatchObject({ success: null, status: 'processing' });
    expect(headers.location).toBe(`/signal/${(body as { signal_id: string }).signal_id}`);
    await withOpenCircuit('execute', async () => {
      expect((await post({ ...BODY, timeout_ms: 150 })).body).toMatchObject({
        success: null,
        status: 'held',
      });
    });
  });

  test('looks up an outcome whose reply was lost', async () => {
    gateway.fleet.behaviour.work = () => null;
    const answer = post().then((a) => a);
    const { signal } = await waitFor('the signal', () => gateway.fleet.signals[0]);
    gateway.fleet.finish(signal, {}, false);
    expect((await answer).body).toMatchObject({ status: 'succeeded' });
  });

  test('an outcome that overtakes the acceptance is the answer', async () => {
    gateway.fleet.behaviour.enqueue = (signal) => {
      gateway.fleet.finish(signal, { message: 'faster' });
      return 'silence';
    };
    const began = Date.now();
    expect((await post()).body).toMatchObject({ status: 'succeeded', message: 'faster' });
    expect(Date.now() - began).toBeLessThan(1_500);
  });

  test('passes on that a line is stopped', async () => {
    gateway.fleet.behaviour.admit = () => ({
      ok: false,
      code: 'LINE_STOPPED',
      reason: 'cord',
      retry_after_ms: 4_200,
      andon_id: 'call-1',
    });
    const { status, body, headers } = await post();
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'LINE_STOPPED', message: 'cord', andon_id: 'call-1' });
    expect(headers['retry-after']).toBe('5');
    expect(gateway.fleet.signals).toHaveLength(0);
  });

  test('passes on that the kanban is full', async () => {
    gateway.fleet.behaviour.enqueue = () => ({
      ok: false,
      code: 'KANBAN_FULL',
      reason: 'full',
      retry_after_ms: 1_000,
      accepted: false,
    });
    const { status, body, headers } = await post();
    expect(status).toBe(429);
    expect(body).toMatchObject({ code: 'KANBAN_FULL' });
    expect(headers['retry-after']).toBe('1');
  });

  test('without jidoka the last known circuits count', async () => {
    gateway.fleet.leave('jidoka');
    for (let i = 0; i < 5; i += 1) expect((await post()).status).toBe(202);
    await withOpenCircuit('execute', async () => {
      const { status, body } = await post();
      expect({ status, body: body }).toMatchObject({ status: 503, body: { code: 'CIRCUIT_OPEN' } });
    });
    gateway.fleet.arrive('jidoka');
    gateway.fleet.admitted.length = 0;
    await waitFor(
      'jidoka to be asked again',
      async () => (await post()) && gateway.fleet.admitted.length > 0,
    );
  });

  test('without kanban nothing is accepted, and it says so', async () => {
    gateway.fleet.leave('kanban');
    const { status, body, headers } = await post();
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'NO_BROKER', accepted: false });
    expect(headers['retry-after']).toBe('2');
    gateway.fleet.arrive('kanban');
    await waitFor('kanban to be asked again', async () => (await post()).status === 202);
  });

  test('silence of kanban means unknown', async () => {
    gateway.fleet.behaviour.enqueue = () => 'silence';
    const { status, body } = await post();
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'NO_BROKER', accepted: 'unknown' });
    expect((body as { message: string }).message).toMatch(/Idempotency-Key/);
  });

  test("continues the caller's trace, and no malformed one", async () => {
    const given = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1' };
    expect((await post(BODY, given)).body).toMatchObject({ trace_id: TRACE });
    const span = gateway.spans.find((candidate) => candidate.spanContext().traceId === TRACE)!;
    expect(span).toMatchObject({
      name: 'process_signal',
      parentId: PARENT,
    });
    expect(span.attributes).toMatchObject({
      'tps.signal.id': gateway.fleet.signals[0]!.signal.id,
      'tps.signal.type': 'execute',
      'tps.signal.priority': 3,
      'tps.signal.status': 'succeeded',
      'http.response.status_code': 202,
    });
    expect(gateway.fleet.signals[0]!.traceparent).toBe(`00-${TRACE}-${span.spanContext().spanId}-01`);
    const { body } = await post(BODY, { traceparent: '00-xyz-1-01' });
    expect((body as { trace_id: string }).trace_id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('a caller who leaves is forgotten, the work goes on', async () => {
    gateway.fleet.behaviour.work = () => null;
    const req = httpRequest({ port: gateway.port, method: 'POST', path: '/signal' }).on(
      'error',
      () => undefined,
    );
    req.end(JSON.stringify(BODY));
    const { signal } = await waitFor('the signal', () => gateway.fleet.signals[0]);
    req.destroy();
    gateway.fleet.finish(signal);
    expect((await gateway.http.get(`/signal/${signal.id}`)).body).toMatchObject({ status: 'succeeded' });
  });

  test('many at once share messages and keep their own outcomes', async () => {
    gateway.fleet.behaviour.work = (signal: Signal) => ({ result: signal.payload });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => post({ ...BODY, payload: { n } })),
    );
    expect(answers.map(({ body }) => (body as { result: { n: number } }).result.n)).toEqual([
      ...answers.keys(),
    ]);
  });

  async function withOpenCircuit(type: string, run: () => Promise<void>): Promise<void> {
    const { circuits } = gateway.fleet;
    const since = new Date().toISOString();
    const until = new Date(Date.now() + 60_000).toISOString();
    const record = { v: 1, signal_type: type, epoch: 1, pause_ms: 60_000, log_seq: 0, stops: [], since };
    await circuits.put(type, { ...record, state: 'open', reason: 'five failures', until });
    const state = async () =>
      (await gateway.http.get('/health')).body as { circuits: Record<string, { state: string }> };
    await waitFor('the open circuit', async () => (await state()).circuits[type]?.state === 'Open');
    await run();
    await circuits.put(type, { ...record, state: 'closed', reason: '' });
    await waitFor('the closed circuit', async () => (await state()).circuits[type]?.state === 'Closed');
  }
});
