import { waitFor } from '@tps/testkit';
import { type GatewayHarness, type Reply, startGateway } from '../testing/harness';

const BODY = { signal_type: 'execute', payload: { task: 'demo' } };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([57])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let gateway: GatewayHarness;
beforeAll(async () => {
  gateway = await startGateway();
});
beforeEach(() => gateway.fleet.reset());
afterAll(() => gateway.stop());

async function post(body: object = BODY, headers: Record<string, string> = {}): Promise<Reply> {
  return gateway.http.post('/signal').set(headers).send(body);
}

describe('the same key', () => {
  test('50 at once with one key are one signal', async () => {
    gateway.fleet.behaviour.work = () => null;
    const headers = { 'idempotency-key': 'fifty' };
    const answers = Array.from({ length: 50 }, (_, i) =>
      post(i % 2 ? BODY : { payload: BODY.payload, signal_type: 'execute', priority: 3 }, headers).then(
        (a) => a,
      ),
    );
    const signal = await waitFor('the signal', () => gateway.fleet.signals[0]?.signal);
    gateway.fleet.finish(signal);
    const bodies = (await Promise.all(answers)).map(({ text }) => text);
    expect(new Set(bodies).size).toBe(1);
    expect(gateway.fleet.signals).toHaveLength(1);
    expect(UUID.exec(signal.id)?.[1]).toBe('5');
  });

  test('a later repeat gets the same outcome, another body a conflict', async () => {
    const headers = { 'idempotency-key': 'later' };
    const first = await post(BODY, headers);
    const again = await post(BODY, headers);
    expect(again.text).toBe(first.text);
    expect([first, again].map(({ headers }) => headers['idempotency-replayed'])).toEqual([undefined, 'true']);
    const other = await post({ ...BODY, priority: 1 }, headers);
    expect(other.body).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect((await post({ ...BODY, timeout_ms: 5 }, headers)).text).toBe(first.text);
    expect(gateway.fleet.signals).toHaveLength(1);
  });

  test('a repeat of an unfinished signal waits for it', async () => {
    gateway.fleet.behaviour.work = () => null;
    const headers = { 'idempotency-key': 'unfinished' };
    await post(BODY, { ...headers, prefer: 'respond-async' });
    expect((await post(BODY, { ...headers, prefer: 'respond-async' })).body).toMatchObject({
      status: 'queued',
    });
    const repeat = post(BODY, headers).then((answer) => answer);
    expect((await post({ ...BODY, payload: {} }, headers)).status).toBe(409);
    gateway.fleet.finish(gateway.fleet.signals[0]!.signal);
    expect((await repeat).body).toMatchObject({ status: 'succeeded' });
    expect(gateway.fleet.signals).toHaveLength(1);
  });

  test('a duplicate that the records did not know yet is joined', async () => {
    gateway.fleet.behaviour.enqueue = (signal) => {
      setTimeout(() => gateway.fleet.finish(signal, { message: 'from before' }, false), 300);
      return { ok: true, duplicate: true };
    };
    const { body } = await post(BODY, { 'idempotency-key': 'duplicate' });
    expect(body).toMatchObject({ status: 'succeeded', message: 'from before' });
  });

  test('a key that cannot be checked is accepted as a suspect, and a signal without a key is not one', async () => {
    gateway.fleet.leave('andon');
    const answers = await Promise.all([post(BODY, { 'idempotency-key': 'blind' }), post(BODY)]);
    expect(answers.map(({ body }) => body.status)).toEqual(['succeeded', 'succeeded']);
    const suspects = gateway.fleet.signals.filter(({ suspect }) => suspect);
    expect(suspects.map(({ signal }) => signal.id)).toEqual([answers[0].body.signal_id]);
    expect(gateway.fleet.signals).toHaveLength(2);
  });

  test('a repeat of an unfinished signal joins it while the records are away, and another body is a conflict', async () => {
    gateway.fleet.behaviour.work = () => null;
    const headers = { 'idempotency-key': 'queued', prefer: 'respond-async' };
    const first = await post(BODY, headers);
    gateway.fleet.leave('andon');
    expect((await post(BODY, headers)).body).toMatchObject({
      status: 'queued',
      signal_id: first.body.signal_id,
    });
    expect((await post({ ...BODY, payload: {} }, headers)).status).toBe(409);
    expect(gateway.fleet.signals).toHaveLength(1);
  });

  test('a suspect that had ended before is answered as replayed, or as a conflict with the body it had then', async () => {
    const headers = { 'idempotency-key': 'ended' };
    const first = await post(BODY, headers);
    gateway.fleet.leave('andon');
    const ended = gateway.fleet.records.get(String(first.body.signal_id))![0]!;
    // A worker that finds the records answers with what they have.
    const { signal_id, request_hash = '' } = ended;
    gateway.fleet.behaviour.work = () => ({
      signal_id,
      request_hash,
      finished_at: '2026-01-25T12:00:00.000Z',
    });
    const again = await post(BODY, headers);
    expect(again).toMatchObject({ status: 202, body: { status: 'succeeded', signal_id } });
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect((await post({ ...BODY, payload: {} }, headers)).body.code).toBe('IDEMPOTENCY_CONFLICT');
  });

  test('a duplicate was accepted before, also when the records cannot say more', async () => {
    gateway.fleet.behaviour.enqueue = () => {
      gateway.fleet.leave('andon');
      return { ok: true, duplicate: true };
    };
    const headers = { 'idempotency-key': 'known-to-kanban', prefer: 'respond-async' };
    expect(await post(BODY, headers)).toMatchObject({ status: 202, body: { status: 'queued' } });
  });
});
