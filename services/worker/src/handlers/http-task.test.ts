import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AttemptTimeoutError, CapacityError, RejectedError, TransientError } from '@tps/worker';
import { Registry } from 'prom-client';
import { handlerContext, SPAN_ID, TRACE_ID } from './context.fixture';
import { HttpTask, type HttpTaskOptions } from './http-task';

type Answer = (request: IncomingMessage & { body: string }, response: ServerResponse) => void;

describe('the task http', () => {
  let server: Server;
  let host: string;
  let answer: Answer;
  let seen: (IncomingMessage & { body: string })[];
  let task: HttpTask;
  let circuits: string[];
  const taskFor = (allowlist: string, given: Partial<HttpTaskOptions> = {}): HttpTask =>
    new HttpTask({
      ...{ allowlist, slots: 16, registry: new Registry() },
      onCircuit: (name, state) => circuits.push(`${name} ${state}`),
      ...given,
    });

  beforeEach(async () => {
    seen = [];
    circuits = [];
    answer = (_, response) => response.end();
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const received = Object.assign(request, { body: Buffer.concat(chunks).toString() });
        seen.push(received);
        answer(received, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    task = taskFor(host);
  });
  afterEach(async () => {
    task.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const run = (payload: object, abort?: AbortSignal, trial?: boolean): Promise<unknown> =>
    task.run({ url: `http://${host}/hook`, ...payload }, handlerContext(abort, trial));

  it('delivers once, with the signal id as key and the trace', async () => {
    answer = (_, response) => response.setHeader('content-type', 'application/json').end('{"ok":true}');
    const result = await run({ body: { a: 1 }, headers: { 'X-Custom': 'yes' } });
    expect(result).toMatchObject({ status: 200, body: { ok: true } });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/hook', body: '{"a":1}' });
    expect(seen[0]!.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'signal-1',
      traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`,
      'x-custom': 'yes',
      host,
    });
  });

  it('sends text as it is, and no body with GET and HEAD', async () => {
    await run({ method: 'PUT', body: 'plain', headers: { 'Content-Type': 'text/csv' } });
    await run({});
    await run({ method: 'HEAD' });
    await run({ method: 'DELETE', body: 'all' });
    expect(seen.map(({ method, body, headers }) => [method, body, headers['content-length']])).toEqual([
      ['PUT', 'plain', '5'],
      ['GET', '', undefined],
      ['HEAD', '', undefined],
      ['DELETE', 'all', '3'],
    ]);
    expect(seen[0]!.headers['content-type']).toBe('text/csv');
    await expect(run({ method: 'GET', body: 'x' })).rejects.toThrow(
      new RejectedError('a GET request has no body'),
    );
  });

  it.each([
    [404, RejectedError],
    [422, RejectedError],
    [302, RejectedError],
    [304, RejectedError],
    [429, TransientError],
    [500, TransientError],
    [503, TransientError],
  ])('answer %i is a %p', async (status, type) => {
    answer = (_, response) => response.writeHead(status, { location: '/elsewhere' }).end();
    await expect(run({})).rejects.toThrow(type);
    expect(seen).toHaveLength(1);
  });

  it('reads 64 KiB of a longer answer', async () => {
    answer = (_, response) => {
      const timer = setInterval(() => response.write('x'.repeat(50_000)), 5);
      response.on('close', () => clearInterval(timer));
    };
    const result = (await run({})) as { body: string; truncated: boolean };
    expect(result.truncated).toBe(true);
    expect(result.body).toHaveLength(64 * 1024);
  });

  it('returns binary answers in base64, and broken JSON as text', async () => {
    answer = (_, response) => response.end(Buffer.alloc(3));
    expect(await run({})).toMatchObject({ body: 'AAAA', encoding: 'base64' });
    answer = (_, response) => response.setHeader('content-type', 'application/json').end('{"a":');
    expect(await run({})).toMatchObject({ body: '{"a":' });
  });

  it('ends with the attempt when the host does not answer', async () => {
    answer = () => undefined;
    const abort = new AbortController();
    setTimeout(() => abort.abort(new AttemptTimeoutError(100)), 100);
    await expect(run({}, abort.signal)).rejects.toThrow(AttemptTimeoutError);
  });

  it('has delivered when the host answered 2xx, also if the rest breaks off or is too slow', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('part');
      setTimeout(() => response.destroy(), 20);
    };
    expect(await run({})).toEqual({
      ...{ status: 200, headers: expect.any(Object) as object, body: 'part', truncated: true },
      note: 'the answer broke off: aborted',
    });
    answer = (_, response) => response.write('slow');
    const context = { ...handlerContext(), endsAtMs: Date.now() + 400 };
    expect(await task.run({ url: `http://${host}/` }, context)).toMatchObject({
      ...{ status: 200, body: 'slow', truncated: true },
      note: expect.stringMatching(/the answer broke off: not at its end within \d+ ms/) as string,
    });
  });

  it('names the host in a transient failure, and the wait that the host asks for', async () => {
    const failure = async (): Promise<unknown> => run({}).catch((error: unknown) => error);
    answer = (_, response) => response.writeHead(503, { 'retry-after': '7' }).end();
    expect(await failure()).toMatchObject({
      ...{ dependency: host, retryAfterMs: 7_000 },
      message: `GET ${host} answered 503 and asks for 7 s of rest`,
    });
    answer = (_, response) => response.writeHead(429).end();
    expect(await failure()).toMatchObject({ dependency: host, retryAfterMs: 0 });
    await new Promise((resolve) => server.close(resolve));
    expect(await failure()).toMatchObject({
      dependency: host,
      message: expect.stringMatching(/failed: (ECONNREFUSED|ECONNRESET)/) as string,
    });
  });

  it('gives a host most slots but never all, and releases further signals', async () => {
    task = taskFor(host, { slots: 4 });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    answer = (_, response) => void held.then(() => response.end());
    const running = [run({}), run({}), run({})];
    await expect(run({})).rejects.toThrow(new CapacityError(`all 3 places for ${host} are taken`));
    release();
    expect(await Promise.all(running)).toHaveLength(3);
    expect(await run({})).toMatchObject({ status: 200 });
    expect(seen).toHaveLength(4);
  });

  it.each([
    'Host',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Idempotency-Key',
    'traceparent',
    'a b',
    'a\r\nInjected',
  ])('refuses the header %j', async (name) => {
    await expect(run({ headers: { [name]: '1' } })).rejects.toThrow(RejectedError);
    expect(seen).toHaveLength(0);
  });

  it.each(['x\r\nInjected: 1', 'x\n', '\u0000', '\u{1F600}'])(
    'refuses the header value %j',
    async (value) => {
      await expect(run({ headers: { 'x-a': value } })).rejects.toThrow(RejectedError);
      expect(seen).toHaveLength(0);
    },
  );

  it.each([
    [{ url: 'nonsense' }, 'not a URL'],
    [{ url: 'file:///etc/passwd' }, 'must begin with http'],
    [{ url: 7 }, 'payload/url must be string'],
    [{ method: 'TRACE' }, 'payload.method must be one of'],
    [{ method: 'get' }, 'payload.method must be one of'],
    [{ headers: { a: 1 } }, 'payload/headers/a must be string'],
    [{ url: 'http://metadata.internal/' }, 'host metadata.internal:80 is not allowed'],
  ])('refuses %j', async (payload, message) => {
    await expect(run(payload)).rejects.toThrow(RejectedError);
    await expect(run(payload)).rejects.toThrow(message);
  });

  it('compares hosts exactly, with the default port of the scheme', async () => {
    const refusal = (allowlist: string, url: string): Promise<string> =>
      taskFor(allowlist)
        .run({ url }, handlerContext(AbortSignal.abort(new Error('let through'))))
        .then(
          () => 'delivered',
          (error: Error) => error.message,
        );
    expect(await refusal('', 'http://a.test/')).toContain('TPS_HTTP_ALLOWLIST');
    expect(await refusal(' A.test , b.test:8080', 'http://a.test/')).toBe('let through');
    expect(await refusal('a.test', 'https://a.test/')).toBe('let through');
    expect(await refusal('a.test', 'https://a.test:8443/')).toContain('a.test:8443 is not allowed');
    expect(await refusal('a.test', 'http://sub.a.test/')).toContain('not allowed');
    expect(await refusal('a.test', 'http://a.test.evil.test/')).toContain('not allowed');
    expect(await refusal('a.test', 'http://a.test@evil.test/')).toContain('must not hold credentials');
    expect(await refusal('a.test:443', 'https://a.test/')).toBe('let through');
    expect(await refusal('a.test:8080', 'http://a.test/')).toContain('not allowed');
  });

  it('stops calling a host that fails', async () => {
    answer = (_, response) => response.writeHead(500).end();
    for (let call = 0; call < 6; call += 1) await expect(run({})).rejects.toThrow(TransientError);
    await expect(run({})).rejects.toThrow(`circuit of host ${host} open`);
    expect(seen.length).toBeLessThanOrEqual(6);
    const refused = await run({}).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TransientError);
    expect(refused).toMatchObject({ dependency: host, retryAfterMs: 10_000 });
    expect([task.failing(), circuits]).toEqual([[host], [`${host} Open`]]);
  });

  it('calls a failing host for the trial of a stopped line, and calls it again when it has recovered', async () => {
    const trial = (): Promise<unknown> => run({}, undefined, true);
    answer = (_, response) => response.writeHead(500).end();
    for (let call = 0; call < 6; call += 1) await expect(run({})).rejects.toThrow(TransientError);
    await expect(run({})).rejects.toThrow('open');
    const before = seen.length;
    await expect(trial()).rejects.toThrow('answered 500');
    expect(seen).toHaveLength(before + 1);
    await expect(run({})).rejects.toThrow('open');
    answer = (_, response) => response.end('fine');
    expect(await trial()).toMatchObject({ body: 'fine' });
    expect([task.failing(), circuits.at(-1)]).toEqual([[], `${host} Closed`]);
    expect(await run({})).toMatchObject({ body: 'fine' });
  });

  it('does not count rejected signals or signals out of time against the host', async () => {
    answer = (_, response) => response.writeHead(404).end();
    for (let call = 0; call < 8; call += 1) await expect(run({})).rejects.toThrow(RejectedError);
    const late = AbortSignal.abort(new Error('timeout_ms ran out'));
    for (let call = 0; call < 8; call += 1) await expect(run({}, late)).rejects.toThrow('ran out');
    answer = (_, response) => response.end('fine');
    expect(await run({})).toMatchObject({ status: 200, body: 'fine' });
  });
});
