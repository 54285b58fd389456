import { connect } from 'node:net';
import type { TSchema } from '@sinclair/typebox';
import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020';
import { API_ERRORS } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import type { OpenApiDocument } from './api/openapi';
import { tracesUrl } from './config';
import { Health, Info, Metrics, Status } from './api/schemas';
import { BOARDS, SUGGESTIONS } from './testing/fake-fleet';
import { type Reply, type GatewayHarness, startGateway } from './testing/harness';

const ajv = addFormats(new Ajv2020({ strict: false, allErrors: true }));

function expectShape(schema: TSchema, body: unknown): void {
  ajv.validate(schema, body);
  expect(ajv.errors ?? []).toEqual([]);
}

describe('views', () => {
  let gateway: GatewayHarness;
  beforeAll(async () => (gateway = await startGateway({ TPS_TRACES_URL: 'http://traces.example' })));
  afterAll(() => gateway.stop());
  beforeEach(() => gateway.fleet.reset());

  const get = (path: string, headers: Record<string, string> = {}) => gateway.http.get(path).set(headers);

  test('/health of a whole fleet', async () => {
    await waitFor('all stations', async () => ((await get('/health')).body as { healthy: boolean }).healthy);
    const { status, body } = await get('/health');
    expect(status).toBe(200);
    expectShape(Health, body);
    expect(body).toMatchObject({ healthy: true, circuit_state: 'Closed', queue_depth: 7, active_workers: 4 });
    expect(body).toMatchObject({ error_rate: 0.5, circuits: { execute: { state: 'Closed' } }, reasons: [] });
  });

  test('/health without a station, and without one that takes work in', async () => {
    gateway.fleet.leave('heijunka');
    const health = async () =>
      (await get('/health')).body as { reasons: string[]; stations: Record<string, object> };
    const missing = async () => (await health()).reasons.includes('heijunka is missing');
    await waitFor('heijunka to be missed', missing);
    expect((await get('/health')).status).toBe(200);
    expect((await health()).stations.heijunka).toEqual({ up: false, replicas: 0 });
    gateway.fleet.leave('kanban');
    await waitFor('503', async () => (await get('/health')).status === 503);
    const ready = await get('/health/ready');
    expect(ready).toMatchObject({ status: 503, body: { ready: false, reasons: ['kanban is missing'] } });
    expect((await get('/health/live')).status).toBe(200);
    // By its last beat, then by its last board.
    expect((await get('/health')).body).toMatchObject({ queue_depth: 7 });
    gateway.fleet.reset();
    await waitFor('the fleet to be ready', async () => (await get('/health/ready')).status === 200);
  });

  test('/metrics as JSON, and as text for Prometheus', async () => {
    for (const accept of ['*/*', 'application/json', 'text/html,application/xhtml+xml,*/*;q=0.8']) {
      const { status, body } = await get('/metrics', { accept });
      expect(status).toBe(200);
      expectShape(Metrics, body);
      expect(body).toEqual(BOARDS.kaizen);
    }
    const prometheus =
      'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1';
    for (const accept of ['text/plain', prometheus]) {
      const { headers, text } = await get('/metrics', { accept });
      expect(headers['content-type']).toMatch(/^text\/plain/);
      expect(text).toMatch(/^tps_signals_processed\{service="tps-system"\} 1000$/m);
      expect(text).toMatch(/^tps_error_rate\{.*\} 0\.5$/m);
      expect(text).toMatch(/^tps_queue_depth\{.*\} 7$/m);
      expect(text).toMatch(/^tps_circuit_state\{.*signal_type="execute".*\} 0$/m);
      expect(text).toMatch(/^tps_http_request_duration_seconds_count\{.*route="\/metrics".*\} \d+$/m);
    }
  });

  test('/info and /status', async () => {
    const info = await get('/info');
    expectShape(Info, info.body);
    expect(info.body).toMatchObject({
      name: 'TPS Reference System',
      version: '1.0.0',
      traces_url: 'http://traces.example/trace/{trace_id}',
      config: { num_workers: 4, http_port: gateway.port, metrics_port: 'disabled' },
    });
    const status = await get('/status');
    expectShape(Status, status.body);
    expect(status.body).toMatchObject({
      status: 'running',
      health: { queue_depth: 7 },
      metrics: BOARDS.kaizen,
    });
  });

  test.each([
    ['http://localhost:16686', 'http://localhost:16686/trace/{trace_id}'],
    ['http://localhost:16686/', 'http://localhost:16686/trace/{trace_id}'],
    ['https://g.example/explore?id={trace_id}', 'https://g.example/explore?id={trace_id}'],
  ])('TPS_TRACES_URL=%s leads to a trace', (url, wanted) => {
    expect(tracesUrl(url)).toBe(wanted);
  });

  test.each(['jidoka', 'kanban', 'andon', 'kaizen', 'heijunka'] as const)('/%s', async (station) => {
    const json = { accept: 'application/json' };
    expect((await get(`/${station}`, json)).body).toEqual(BOARDS[station]);
    gateway.fleet.leave(station);
    const { status, body, headers } = await get(`/${station}`, json);
    expect({ status, body: body }).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect(headers['retry-after']).toBe('1');
  });

  test('/kaizen/suggestions', async () => {
    expect(await get('/kaizen/suggestions')).toMatchObject({ status: 200, body: SUGGESTIONS });
    gateway.fleet.leave('kaizen');
    expect(await get('/kaizen/suggestions')).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
  });

  test('/andon is a page, and JSON for who asks for it', async () => {
    for (const accept of ['*/*', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8']) {
      const { headers, text } = await get('/andon', { accept });
      expect(headers['content-type']).toMatch(/^text\/html/);
      for (const [, file] of text.matchAll(/(?:src|href)="(\/assets\/[^"]+\.css)"/g)) {
        const asset = await get(file!);
        expect({ file, status: asset.status }).toEqual({ file, status: 200 });
        expect((await get(file!, { 'if-none-match': asset.headers.etag! })).status).toBe(304);
      }
    }
    for (const accept of ['application/json', 'application/json, text/plain, */*']) {
      expect((await get('/andon', { accept })).body).toEqual(BOARDS.andon);
    }
    expect((await get('/assets/..%2fpackage.json')).status).toBe(404);
  });

  test('unknown paths, wrong methods, HEAD and OPTIONS', async () => {
    expect((await get('/nothing')).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    for (const path of ['/signal/%zz', '/kanban/dead/%ff', '/kanban/dead/a%2fredrive']) {
      expect((await get(path)).body).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    }
    const wrong = await get('/signal');
    expect(wrong).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } });
    expect(wrong.headers.allow).toBe('OPTIONS, POST');
    expect((await gateway.http.options('/kanban/dead/redrive')).headers.allow).toBe('OPTIONS, POST');
    expect((await gateway.http.delete('/health')).headers.allow).toBe('GET, HEAD, OPTIONS');
    expect(await gateway.http.head('/health/live')).toMatchObject({ status: 200, text: undefined });
    const options = await gateway.http.options('/signal/x');
    expect(options.status).toBe(204);
    expect(options.headers.allow).toBe('DELETE, GET, HEAD, OPTIONS');
  });

  test('every operation refuses unknown input by name', async () => {
    const id = '018f4f6e-0000-7000-8000-000000000000';
    const refused = async (asked: PromiseLike<Reply>, named: string): Promise<void> => {
      const { status, body } = await asked;
      expect({ status, body }).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
      expect(body.message).toContain(named);
    };
    for (const path of ['/', '/health', '/kanban', '/openapi.json', '/kanban/redrives', `/signal/${id}`]) {
      await refused(gateway.http.get(`${path}?typ=execute`), '/typ is not a known field');
    }
    await refused(gateway.http.delete(`/signal/${id}?running=true`), '/running');
    await refused(gateway.http.delete(`/signal/${id}`).send({ running: true }), '/running');
    await refused(gateway.http.post('/kanban/dead/redrive?dry_run=true').send({}), '/dry_run');
    await refused(get('/metrics', { accept: 'application/json;q=high' }), 'Accept: application/json;q=high');
    await refused(get('/andon', { accept: 'text/html;q=2' }), 'Accept: text/html;q=2');
    await refused(get(`/signal/${id}`, { prefer: 'wait=soon' }), 'Prefer: wait=soon');
  });

  test('a URL that parsers read differently is refused', async () => {
    for (const path of ['/kanban/dead?type=execute#status=expired', '/health#', '/signals?type=\xe9']) {
      const { status, body } = await raw(path);
      expect({ path, status, body }).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    }
  });

  /** Node's own client does not send such URLs. */
  function raw(path: string): Promise<{ status: number; body: unknown }> {
    return new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(gateway.port, '127.0.0.1', () => {
        socket.write(Buffer.from(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`, 'latin1'));
      });
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket.on('error', reject).on('close', () => {
        const [head = '', body = ''] = text.split('\r\n\r\n');
        resolve({ status: Number(head.split(' ')[1]), body: JSON.parse(body) });
      });
    });
  }

  test('/openapi.json is sound and in step with the routes', async () => {
    const document = (await get('/openapi.json')).body as unknown as OpenApiDocument;
    expect(document.openapi).toBe('3.1.0');
    for (const schema of Object.values(document.components.schemas)) ajv.compile(schema);
    // A member with a default need not be sent.
    expect(document.components.schemas.RedriveRequest).toMatchObject({ required: [] });
    const limit = document.paths['/signals']!.get!.parameters!.find(({ name }) => name === 'limit');
    expect(limit).toMatchObject({ required: false, schema: { default: 50 } });
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
    const ids = new Set<string>();
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        expect(ids.has(operation.operationId)).toBe(false);
        ids.add(operation.operationId);
        expect(operation.responses).not.toEqual({});
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const declared = (operation.parameters ?? []).filter(({ in: place }) => place === 'path');
        expect(declared.map(({ name }) => name)).toEqual(named);
        const url = path.replace(/\{\w+\}/g, 'x');
        const { status } = await gateway.http[method as 'get'](url);
        expect([404, 405]).not.toContain(status);
      }
    }
  });

  test('the page documents every operation and carries nothing foreign', async () => {
    const document = (await get('/openapi.json')).body as unknown as OpenApiDocument;
    const { text, headers } = await get('/');
    expect(headers['content-type']).toMatch(/^text\/html/);
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const method of Object.keys(methods)) {
        expect(text).toContain(`<form data-method="${method}" data-path="${path}">`);
      }
    }
    for (const code of Object.keys(API_ERRORS)) expect(text).toContain(`<dt id="${code}">`);
    const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, id] of text.matchAll(/ (?:for|href)="#?([\w-]+)"/g)) expect(ids).toContain(id);
    expect(text).toContain('curl -d');
    expect(text).not.toMatch(/(src|href)="(https?:)?\/\//);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('unsafe');
  });
});
