import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closedLoop } from './closed-loop';
import type { StartInterval } from './interval-timer';
import { OpenLoop } from './open-loop';
import { postRequest } from './request';

/** Replaces the exact interval, whose thread jest cannot start from TypeScript. */
const startInterval: StartInterval = (_, periodMs, onTick) => {
  const timer = setInterval(onTick, periodMs);
  return () => clearInterval(timer);
};

let server: Server;

async function serve(
  listener: RequestListener,
): Promise<{ port: number; request: (index: number) => Buffer }> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    request: (index) => postRequest('/signal', { index }),
  };
}

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const accept: RequestListener = (_, response) => {
  response.writeHead(202).end('{"success":true}');
};

describe('closedLoop', () => {
  test('sends as many requests as were asked for, and tells every answer', async () => {
    const target = await serve(accept);
    const told: [status: number | undefined, index: number][] = [];
    const { counts } = await closedLoop(
      { ...target, onAnswer: (answer, index) => told.push([answer?.status, index]) },
      { connections: 4, durationMs: 10_000, requests: 10 },
    );
    expect(counts.kinds.ok).toBe(10);
    expect(told.sort(([, a], [, b]) => a - b)).toEqual(Array.from({ length: 10 }, (_, i) => [202, i]));
  });

  test('keeps every connection busy until the end', async () => {
    const target = await serve(accept);
    const { counts, sent } = await closedLoop(target, { connections: 4, durationMs: 200 });
    expect(sent).toBeGreaterThan(20);
    expect(counts.kinds.ok).toBe(sent);
    expect(counts.latencies).toHaveLength(sent);
  });

  test('stops sending to a server that closes the connection', async () => {
    const target = await serve((request) => void request.socket.destroy());
    const { counts, sent } = await closedLoop(target, { connections: 3, durationMs: 5_000 });
    expect(sent).toBe(3);
    expect(counts.kinds.failed).toBe(3);
  });
});

describe('OpenLoop', () => {
  test('sends all signals at the given rate, each once', async () => {
    const seen = new Set<string>();
    const target = await serve((request, response) => {
      request
        .on('data', (body: Buffer) => seen.add(body.toString()))
        .on('end', () => accept(request, response));
    });
    const loop = new OpenLoop(target, { rate: 200, durationMs: 300, startInterval });
    const { sent, unsent, elapsedMs, counts } = await loop.run();
    expect({ sent, unsent, ok: counts.kinds.ok, seen: seen.size }).toEqual({
      sent: 60,
      unsent: 0,
      ok: 60,
      seen: 60,
    });
    expect(elapsedMs).toBeGreaterThan(290);
  });

  test('counts latency from the time a signal was due, not from when a connection was free', async () => {
    const target = await serve((request, response) => void setTimeout(() => accept(request, response), 50));
    const loop = new OpenLoop(target, { rate: 100, durationMs: 100, maxOutstanding: 1, startInterval });
    const { counts, late } = await loop.run();
    expect(counts.kinds.ok).toBe(10);
    // Ten signals are due 10 ms apart and take 50 ms each, so the last one waits for nine others.
    expect(Math.max(...counts.latencies)).toBeGreaterThan(350);
    expect(late).toBeGreaterThanOrEqual(8);
  });

  test('opens a new connection after the server has closed one', async () => {
    const target = await serve((_, response) => {
      response.writeHead(202, { connection: 'close' }).end('{"success":true}');
    });
    const loop = new OpenLoop(target, { rate: 100, durationMs: 100, startInterval });
    expect((await loop.run()).counts.kinds.ok).toBe(10);
  });
});
