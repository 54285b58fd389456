import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@tps/testkit';
import { Fleet, type SignalAnswer } from './fleet';

/** A host that answers as it is told, and counts deliveries. */
class Host {
  delivered = 0;
  private readonly server: Server;

  private constructor(answer: (response: ServerResponse) => void) {
    this.server = createServer((request, response) => {
      this.delivered += 1;
      request.resume();
      answer(response);
    });
  }

  static async start(answer: (response: ServerResponse) => void): Promise<Host> {
    const host = new Host(answer);
    host.server.listen(0, '127.0.0.1');
    await once(host.server, 'listening');
    return host;
  }

  get name(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

interface Board {
  lines: Record<string, { colour: string; rule: string; reason: string; circuit: string }>;
}

/** One sender's slow or failing work must stay its own. */
describe('neighbours on one line', () => {
  let fleet: Fleet;
  let well: Host;
  let failing: Host;
  let hung: Host;
  let odd: Host;
  const board = async (): Promise<Board> =>
    (await fleet.get<Board>('/andon', { accept: 'application/json' })).body;
  const circuits = async (): Promise<Record<string, { state: string }>> =>
    (await fleet.get<{ circuits: Record<string, { state: string }> }>('/health')).body.circuits;
  const delivery = (host: Host): object => ({ task: 'http', url: `http://${host.name}/`, method: 'POST' });
  const statuses = async (answers: Promise<{ body: SignalAnswer }>[]): Promise<string[]> =>
    (await Promise.all(answers)).map(({ body }) => body.status);

  beforeAll(async () => {
    well = await Host.start((response) => response.end('fine'));
    failing = await Host.start((response) => response.writeHead(500).end());
    hung = await Host.start(() => undefined);
    const body = `[${'['.repeat(5_000)}9007199254740993${']'.repeat(5_000)}]`;
    odd = await Host.start((response) => response.setHeader('content-type', 'application/json').end(body));
    fleet = await Fleet.start({
      ...{ TPS_NUM_WORKERS: '8', TPS_CB_THRESHOLD: '3', TPS_MAX_ATTEMPTS: '2' },
      TPS_HTTP_ALLOWLIST: [well, failing, hung, odd].map(({ name }) => name).join(),
    });
  }, 120_000);
  afterAll(async () => {
    await fleet?.stop();
    for (const host of [well, failing, hung, odd]) await host.stop();
  }, 60_000);

  test('slow schemas are rejected, others succeed meanwhile, and the line runs', async () => {
    const slow = Array.from({ length: 24 }, (_, n) =>
      fleet.post('validate', {
        data: `${'a'.repeat(40)}!`,
        schema: { pattern: '^(a+)+$', title: `t${n}` },
      }),
    );
    const honest: Promise<{ body: SignalAnswer }>[] = [];
    for (let n = 0; n < 20; n += 1) {
      // One after the other: each must be done while the slow ones are there.
      honest.push(fleet.post('validate', { data: { n }, schema: { type: 'object' } }));
      await honest.at(-1);
    }
    expect(new Set(await statuses(honest))).toEqual(new Set(['succeeded']));
    expect(new Set(await statuses(slow))).toEqual(new Set(['rejected']));
    expect((await circuits()).validate?.state ?? 'Closed').toBe('Closed');
  }, 90_000);

  test('a host that fails is left alone and named, while others get their deliveries', async () => {
    const lost = await Promise.all(
      Array.from({ length: 20 }, () => fleet.send('execute', delivery(failing))),
    );
    const line = await waitFor('the board to name the host', async () => {
      const { execute } = (await board()).lines;
      return execute?.reason.includes(failing.name) ? execute : undefined;
    });
    expect(line).toMatchObject({ colour: 'YELLOW', rule: 'dependency', circuit: 'Closed' });
    const others = Array.from({ length: 20 }, (_, n) =>
      fleet.post('execute', n % 2 ? delivery(well) : { task: 'demo' }),
    );
    expect(new Set(await statuses(others))).toEqual(new Set(['succeeded']));
    for (const id of lost) {
      const { body } = await fleet.get(`/signal/${id}`, { prefer: 'wait=14' });
      const ended = body.final ? body : (await fleet.get(`/signal/${id}`, { prefer: 'wait=14' })).body;
      expect(ended).toMatchObject({ status: 'failed', error_class: 'transient', dependency: failing.name });
    }
    expect((await circuits()).execute?.state ?? 'Closed').toBe('Closed');
    // Its circuit spared it most attempts.
    expect(failing.delivered).toBeLessThan(60);
  }, 90_000);

  test('a host that hangs does not take all slots', async () => {
    const hanging = await Promise.all(
      Array.from({ length: 30 }, () => fleet.send('execute', delivery(hung), { prefer: 'respond-async' })),
    );
    await waitFor('its deliveries', () => hung.delivered >= 6);
    const others = Array.from({ length: 20 }, (_, n) =>
      fleet.post('execute', n % 2 ? delivery(well) : { task: 'demo' }),
    );
    expect(new Set(await statuses(others))).toEqual(new Set(['succeeded']));
    expect(hung.delivered).toBe(6);
    const { body } = await fleet.get<{ timeline: { event: string; message?: string }[] }>(
      `/signal/${hanging.at(-1)}`,
    );
    expect(body.timeline.find(({ event }) => event === 'returned')).toMatchObject({
      message: `all 6 places for ${hung.name} are taken`,
    });
  }, 60_000);

  test('an answer that cannot be written again is a success, and can be looked up and listed', async () => {
    const before = odd.delivered;
    const { body } = await fleet.post('execute', delivery(odd));
    const result = { status: 200, note: 'kept as text: it is nested deeper than 100 levels' };
    expect(body).toMatchObject({ status: 'succeeded', result });
    expect(odd.delivered).toBe(before + 1);
    const found = await waitFor('its record', async () => {
      const { body: record } = await fleet.get(`/signal/${body.signal_id}`);
      return record.final ? record : undefined;
    });
    expect(found).toMatchObject({ status: 'succeeded', result });
    expect((await fleet.get('/signals?limit=1')).status).toBe(200);
  });
});
