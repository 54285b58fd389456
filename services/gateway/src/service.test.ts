import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startService } from '@tps/service';
import { freePort, NatsServer, waitFor } from '@tps/testkit';
import { shut } from './http-server';
import { gateway } from './service';
import { type Reply, type GatewayHarness, startGateway } from './testing/harness';

const BODY = { signal_type: 'execute', payload: {} };

describe('while NATS is away', () => {
  let gateway: GatewayHarness;
  beforeAll(async () => (gateway = await startGateway()));
  afterAll(() => gateway.stop());

  const post = (headers: Record<string, string> = {}): Promise<Reply> =>
    Promise.resolve(gateway.http.post('/signal').set(headers).send(BODY));

  test('nothing is accepted, and who waits hears as soon as it is back', async () => {
    gateway.fleet.behaviour.work = () => null;
    const waiting = post();
    const { signal } = await waitFor('the signal', () => gateway.fleet.signals[0]);

    await gateway.nats.kill();
    await waitFor('503', async () => (await gateway.http.get('/health/ready')).status === 503);
    const began = Date.now();
    const refused = await post();
    expect(refused.body).toMatchObject({ status: 503, code: 'NO_BROKER', accepted: false });
    const keyed = await post({ 'idempotency-key': 'k' });
    expect(keyed.body).toMatchObject({ status: 503, code: 'NO_BROKER', accepted: false });
    // It is sure of this request only.
    expect(keyed.body.message).toContain('earlier request with this key');
    expect(Date.now() - began).toBeLessThan(1_000);
    const health = await gateway.http.get('/health');
    expect(health).toMatchObject({ status: 503, body: { healthy: false } });
    expect(health.body.reasons).toContain('not connected to NATS');
    expect((await gateway.http.get('/health/live')).status).toBe(200);

    gateway.fleet.finish(signal, {}, false);
    await gateway.nats.restart();
    expect((await waiting).body).toMatchObject({ status: 'succeeded', signal_id: signal.id });
    gateway.fleet.reset();
    await waitFor('signals to be accepted again', async () => (await post()).status === 202);
  });
});

describe('started while NATS is away', () => {
  test('it is there, says that it takes nothing yet, and begins as soon as it can', async () => {
    const nats = await NatsServer.start();
    await nats.kill();
    const port = await freePort();
    const settings = {
      NATS_URL: nats.url,
      HTTP_PORT: `${port}`,
      METRICS_PORT: 'disabled',
      LOG_LEVEL: 'error',
    };
    const starting = startService(gateway, settings, (error) => {
      throw error;
    });
    const ask = (path: string, init?: RequestInit): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}${path}`, init);
    const live = (): Promise<boolean> =>
      ask('/health/live').then(
        ({ status }) => status === 200,
        () => false,
      );
    await waitFor('the port', live);
    expect((await ask('/health/ready')).status).toBe(503);
    const refused = await ask('/signal', { method: 'POST', body: JSON.stringify(BODY) });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect({ status: refused.status, body: await refused.json() }).toMatchObject({
      status: 503,
      body: { success: false, code: 'NO_BROKER', accepted: false },
    });
    expect(await (await ask('/kanban')).json()).toMatchObject({ code: 'UNAVAILABLE' });
    await nats.restart();
    const service = await starting;
    expect((await ask('/info')).status).toBe(200);
    await service.stop();
    await nats.stop();
  });
});

describe('stopping', () => {
  test('lets those who wait have their outcome', async () => {
    const gateway = await startGateway();
    gateway.fleet.behaviour.work = () => null;
    const answer = Promise.resolve(gateway.http.post('/signal').send(BODY));
    const { signal } = await waitFor('the signal', () => gateway.fleet.signals[0]);
    const stopped = gateway.stopGateway();
    const closed = (): Promise<boolean> =>
      Promise.resolve(gateway.http.get('/health/live')).then(
        () => false,
        () => true,
      );
    await waitFor('a closed port', closed);
    gateway.fleet.finish(signal);
    expect((await answer).body).toMatchObject({ status: 'succeeded' });
    await stopped;
    await gateway.stop();
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
