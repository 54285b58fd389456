import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureStream } from '@tps/bus';
import { waitFor } from '@tps/testkit';
import { type GatewayHarness, startGateway } from '../testing/harness';

/** Sees the events as a browser's EventSource does. */
class Listener {
  readonly events: { id?: string; event?: string; data: Record<string, unknown> }[] = [];
  response: IncomingMessage | undefined;
  ended = false;
  private readonly request: ClientRequest;
  private rest = '';

  constructor(port: number, headers: Record<string, string> = {}, query = '', agent?: Agent) {
    this.request = get({ port, path: `/andon/events${query}`, headers, agent }, (response) => {
      this.response = response;
      response.on('data', (chunk: Buffer) => this.take(chunk.toString()));
      response.on('close', () => (this.ended = true));
    });
    this.request.on('error', () => (this.ended = true));
  }

  ids(): string[] {
    return this.events.flatMap(({ id }) => id ?? []);
  }

  close(): void {
    this.request.destroy();
  }

  private take(text: string): void {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n').map((line) => line.split(/: (.*)/, 2) as [string, string]);
      const { data, ...rest }: Record<string, string> = Object.fromEntries(lines);
      if (data) this.events.push({ ...rest, data: JSON.parse(data) as Record<string, unknown> });
    }
  }
}

describe('GET /andon/events', () => {
  let gateway: GatewayHarness;
  const listeners: Listener[] = [];
  const listen = async (headers?: Record<string, string>, query?: string): Promise<Listener> => {
    const listener = new Listener(gateway.port, headers, query);
    listeners.push(listener);
    await waitFor('the stream', () => listener.response);
    return listener;
  };
  const publish = async (reason: string): Promise<number> => {
    const light = { line: 'execute', colour: 'RED', was: 'GREEN', rule: 'circuit_open', reason };
    const event = { v: 1, id: 'x', event: 'changed', at: new Date().toISOString(), by: 'andon', ...light };
    const { names, publisher } = gateway.fleet.bus;
    return (await publisher.publish(names.subjects.andon('execute'), JSON.stringify(event))).seq;
  };
  beforeAll(async () => {
    gateway = await startGateway();
    await ensureStream(gateway.fleet.bus, 'andon', { replicas: 1 });
  });
  afterAll(() => gateway.stop());
  afterEach(() => listeners.splice(0).forEach((listener) => listener.close()));

  test('an event arrives with its place, and the board beside it', async () => {
    await publish('before anybody listened');
    const listener = await listen();
    expect(listener.response?.headers['content-type']).toBe('text/event-stream');
    await waitFor('the board', () => listener.events.some(({ event }) => event === 'board'));
    const seq = await publish('now');
    await waitFor('the event', () => listener.ids().length === 1);
    const heard = listener.events.find(({ event }) => event === 'andon');
    expect(heard).toMatchObject({ id: String(seq), data: { line: 'execute', colour: 'RED', reason: 'now' } });
    expect(heard?.data).not.toHaveProperty('v');
  });

  test('the board does not wait until nothing happens any more', async () => {
    const listener = await listen();
    const boards = (): number => listener.events.filter(({ event }) => event === 'board').length;
    await waitFor('the first board', () => boards() === 1);
    const before = listener.ids().length;
    let seq = 0;
    const endMs = Date.now() + 1_500;
    while (Date.now() < endMs) {
      seq = await publish('and again');
      await sleep(20);
    }
    // Two seconds after the first it would come in any case.
    expect(boards()).toBeGreaterThan(1);
    expect(boards()).toBeLessThan(6);
    await waitFor('all of it', () => listener.ids().at(-1) === String(seq));
    expect(listener.ids().length - before).toBeGreaterThan(boards());
  });

  test('a client that reconnects misses nothing and hears nothing twice', async () => {
    const first = await publish('heard');
    const missed = [await publish('missed'), await publish('missed too')];
    const listener = await listen({ 'last-event-id': String(first) });
    const other = await listen({}, `?after=${first}`);
    for (const one of [listener, other]) {
      await waitFor('both', () => one.ids().length === 2);
      expect(one.ids()).toEqual(missed.map(String));
    }
    expect((await gateway.http.get('/andon/events?after=-1')).status).toBe(400);
    expect((await gateway.http.get('/andon/events?after=9007199254740993')).status).toBe(400);
  });

  test.each(['abc', '12x', '-1', '1e3', '99999999999999999999', ''])(
    'Last-Event-ID: %s is refused, because the client would miss events',
    async (id) => {
      const { status, body } = await gateway.http.get('/andon/events').set({ 'last-event-id': id });
      expect({ status, body }).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
      expect(body.message).toContain(`Last-Event-ID: ${id} is not allowed`);
    },
  );

  test('exactly the maximum of clients is let in when all arrive at once', async () => {
    const agent = new Agent({ maxSockets: Infinity });
    const many = Array.from({ length: 150 }, () => new Listener(gateway.port, {}, '', agent));
    listeners.push(...many);
    await waitFor('all answers', () => many.every(({ response }) => response));
    const answered = (status: number): Listener[] =>
      many.filter(({ response }) => response?.statusCode === status);
    expect([answered(200).length, answered(503).length]).toEqual([100, 50]);
    // A client that leaves makes room.
    answered(200)[0]?.close();
    const next = await waitFor('a place', async () => {
      const one = await listen();
      return one.response?.statusCode === 200;
    });
    expect(next).toBe(true);
  });

  test('HEAD gets no stream, and a gateway that stops ends those that are open', async () => {
    expect((await gateway.http.head('/andon/events')).status).toBe(200);
    const listener = await listen();
    await gateway.stopGateway();
    await waitFor('the end', () => listener.ended);
  });
});
