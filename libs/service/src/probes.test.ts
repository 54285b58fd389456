import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import { serveProbes } from './probes';

let server: Server;
let problems: string[];
let registry: Registry;

beforeEach(async () => {
  problems = [];
  registry = new Registry();
  server = await serveProbes({ port: 0, TPS_BIND: '127.0.0.1' }, registry, () => problems);
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

async function get(path: string): Promise<{ status: number; type: string | null; text: string }> {
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

test('serves the metrics as Prometheus text', async () => {
  new Counter({ name: 'tps_things', help: 'things', registers: [registry] }).inc(3);
  const { status, type, text } = await get('/metrics?name=x');
  expect([status, type]).toEqual([200, registry.contentType]);
  expect(text).toContain('tps_things 3');
});

test('answers 500 if a metric throws, and goes on', async () => {
  const collect = (): never => {
    throw new Error('no figure');
  };
  new Gauge({ name: 'broken', help: 'broken', registers: [registry], collect });
  expect(await get('/metrics')).toMatchObject({ status: 500, text: '{"message":"no figure"}' });
  expect(await get('/health/live')).toMatchObject({ status: 200 });
});

test('is ready without problems, and live with them', async () => {
  expect(await get('/health/ready')).toMatchObject({ status: 200, text: '{"ready":true}' });
  problems = ['not connected to NATS'];
  expect(await get('/health/ready')).toMatchObject({
    status: 503,
    text: '{"ready":false,"reasons":["not connected to NATS"]}',
  });
  expect(await get('/health/live')).toMatchObject({ status: 200, text: '{"live":true}' });
});

test('names its paths in a 404', async () => {
  const { status, text } = await get('/');
  expect(status).toBe(404);
  for (const path of ['/metrics', '/health/live', '/health/ready']) expect(text).toContain(path);
});

test('a port in use is an error of the start', async () => {
  const { port } = server.address() as AddressInfo;
  const second = serveProbes({ port, TPS_BIND: '127.0.0.1' }, registry, () => []);
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
