import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closedLoop } from './closed-loop';
import type { Pulse } from './metronome';
import { OpenLoop } from './open-loop';
import { postRequest } from './request';

/** Coarser than the real one, which is a thread that jest cannot start from TypeScript. */
const everyFewMs: Pulse = (_, periodMs, onBeat) => {
  const timer = setInterval(onBeat, periodMs);
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
  test('keeps every connection busy until the time is over', async () => {
    const target = await serve(accept);
    const { tally, sent } = await closedLoop(target, { connections: 4, durationMs: 200 });
    expect(sent).toBeGreaterThan(20);
    expect(tally.kinds.ok).toBe(sent);
    expect(tally.latencies).toHaveLength(sent);
  });

  test('stops asking a server that hangs up', async () => {
    const target = await serve((request) => void request.socket.destroy());
    const { tally, sent } = await closedLoop(target, { connections: 3, durationMs: 5_000 });
    expect(sent).toBe(3);
    expect(tally.kinds.failed).toBe(3);
  });
});

describe('OpenLoop', () => {
  test('sends the whole number at its rate, each signal once', async () => {
    const seen = new Set<string>();
    const target = await serve((request, response) => {
      request
        .on('data', (body: Buffer) => seen.add(body.toString()))
        .on('end', () => accept(request, response));
    });
    const loop = new OpenLoop(target, { rate: 200, durationMs: 300, pulse: everyFewMs });
    const { sent, unsent, elapsedMs, tally } = await loop.run();
    expect({ sent, unsent, ok: tally.kinds.ok, seen: seen.size }).toEqual({
      sent: 60,
      unsent: 0,
      ok: 60,
      seen: 60,
    });
    expect(elapsedMs).toBeGreaterThan(290);
  });

  test('counts latency from when a signal was due, not from when a connection was free', async () => {
    const target = await serve((request, response) => void setTimeout(() => accept(request, response), 50));
    const loop = new OpenLoop(target, { rate: 100, durationMs: 100, maxOutstanding: 1, pulse: everyFewMs });
    const { tally, late } = await loop.run();
    expect(tally.kinds.ok).toBe(10);
    // Ten one after the other, 50 ms each, due 10 ms apart: the last waited for nine others.
    expect(Math.max(...tally.latencies)).toBeGreaterThan(350);
    expect(late).toBeGreaterThanOrEqual(8);
  });

  test('opens a new connection after the server has closed one', async () => {
    const target = await serve((_, response) => {
      response.writeHead(202, { connection: 'close' }).end('{"success":true}');
    });
    const loop = new OpenLoop(target, { rate: 100, durationMs: 100, pulse: everyFewMs });
    expect((await loop.run()).tally.kinds.ok).toBe(10);
  });
});
