import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@tps/testkit';
import { shut } from './front';
import { type Reply, type Rig, startRig } from './testing/rig';

const BODY = { signal_type: 'execute', payload: {} };

describe('while NATS is away', () => {
  let rig: Rig;
  beforeAll(async () => (rig = await startRig()));
  afterAll(() => rig.stop());

  const post = (headers: Record<string, string> = {}): Promise<Reply> =>
    Promise.resolve(rig.http.post('/signal').set(headers).send(BODY));

  test('nothing is accepted, and who waits hears as soon as it is back', async () => {
    rig.fleet.behaviour.work = () => null;
    const waiting = post();
    const { signal } = await waitFor('the signal', () => rig.fleet.signals[0]);

    await rig.nats.kill();
    await waitFor('503', async () => (await rig.http.get('/health/ready')).status === 503);
    const began = Date.now();
    const refused = await post();
    expect(refused.body).toMatchObject({ status: 503, code: 'NO_BROKER', accepted: false });
    const keyed = await post({ 'idempotency-key': 'k' });
    expect(keyed.body).toMatchObject({ status: 503, code: 'NO_BROKER', accepted: false });
    expect(Date.now() - began).toBeLessThan(1_000);
    const health = await rig.http.get('/health');
    expect(health).toMatchObject({ status: 503, body: { healthy: false } });
    expect(health.body.reasons).toContain('not connected to NATS');
    expect((await rig.http.get('/health/live')).status).toBe(200);

    rig.fleet.finish(signal, {}, false);
    await rig.nats.restart();
    expect((await waiting).body).toMatchObject({ status: 'succeeded', signal_id: signal.id });
    rig.fleet.reset();
    await waitFor('signals to be accepted again', async () => (await post()).status === 202);
  });
});

describe('stopping', () => {
  test('lets those who wait have their outcome', async () => {
    const rig = await startRig();
    rig.fleet.behaviour.work = () => null;
    const answer = Promise.resolve(rig.http.post('/signal').send(BODY));
    const { signal } = await waitFor('the signal', () => rig.fleet.signals[0]);
    const stopped = rig.stopGateway();
    const closed = (): Promise<boolean> =>
      Promise.resolve(rig.http.get('/health/live')).then(
        () => false,
        () => true,
      );
    await waitFor('a closed port', closed);
    rig.fleet.finish(signal);
    expect((await answer).body).toMatchObject({ status: 'succeeded' });
    await stopped;
    await rig.stop();
  });

  test('asks for an end when the limit has passed, and closes connections that stay', async () => {
    let answer = (): void => undefined;
    const server = createServer((_req, res) => (answer = () => void res.end('late')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const reply = fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).then((res) =>
      res.text(),
    );
    await new Promise((resolve) => server.once('request', resolve));
    const began = Date.now();
    await shut(server, 200, () => answer());
    expect(await reply).toBe('late');
    expect(Date.now() - began).toBeLessThan(1_000);
  });
});
