import { setTimeout as sleep } from 'node:timers/promises';
import { HttpReceiver, waitFor } from '@tps/testkit';
import { Fleet, type SignalAnswer } from './fleet';

const SIGNALS = 20;
const TIMEOUT_MS = 4_000;
const SLOW_MS = 300;

/** The host that the failing type delivers to and the webhook posts to. */
class Outside {
  broken = true;
  /** Deliveries under way, and the most there ever were since this was set to 0. */
  running = 0;
  most = 0;
  /** The signal of every delivery, in order. */
  readonly delivered: string[] = [];
  private receiver!: HttpReceiver;

  async start(): Promise<void> {
    this.receiver = await HttpReceiver.start();
    this.receiver.answer = ({ path, headers }) =>
      path === '/hook' ? 200 : this.work(String(headers['idempotency-key']));
  }

  /** One of many names of this machine: a host that fails often would not be asked at all by the task `http`. */
  host(n: number): string {
    return `127.0.0.${n + 1}:${this.receiver.port}`;
  }

  posts(): Event[] {
    const hooks = this.receiver.received.filter(({ path }) => path === '/hook');
    return hooks.map(({ body }) => JSON.parse(body) as Event);
  }

  stop(): Promise<void> {
    return this.receiver.stop();
  }

  private async work(id: string): Promise<number> {
    this.delivered.push(id);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    const { broken } = this;
    if (broken) await sleep(SLOW_MS);
    this.running -= 1;
    return broken ? 503 : 200;
  }
}

interface Event {
  id: string;
  event: string;
  level?: number;
  colour: string;
  was: string;
}

/** Two of each: do they act as one while a type fails, and do the other types notice? */
describe('a type that fails all the time', () => {
  const outside = new Outside();
  let fleet: Fleet;
  let timer: NodeJS.Timeout;
  const circuit = async (): Promise<string | undefined> => {
    const { body } = await fleet.get<{ circuits: Record<string, { state: string }> }>('/health');
    return body.circuits.execute?.state;
  };
  const history = async (query: string): Promise<Event[]> =>
    (await fleet.get<{ items: Event[] }>(`/andon/history?limit=1000&${query}`)).body.items;

  beforeAll(async () => {
    await outside.start();
    fleet = await Fleet.start({
      ...{ TPS_REPLICAS_GATEWAY: '2', TPS_REPLICAS_JIDOKA: '2', TPS_REPLICAS_ANDON: '2' },
      ...{ TPS_CB_THRESHOLD: '3', TPS_CB_TIMEOUT: '1' },
      TPS_HTTP_ALLOWLIST: Array.from({ length: SIGNALS }, (_, n) => outside.host(n)).join(','),
      TPS_ANDON_WEBHOOK_URL: `http://${outside.host(0)}/hook`,
    });
  }, 120_000);
  afterEach(() => clearInterval(timer));
  afterAll(async () => {
    await fleet?.stop();
    await outside.stop();
  }, 60_000);

  test('its queue burns no attempt and no deadline, one trial runs at a time, and the others all succeed', async () => {
    const others: Promise<{ status: number; body: SignalAnswer }>[] = [];
    timer = setInterval(() => others.push(fleet.post('validate', { data: others.length })), 40);
    const payload = (n: number): object => ({
      task: 'http',
      url: `http://${outside.host(n)}/`,
      method: 'POST',
    });
    const options = { headers: { prefer: 'respond-async' }, timeout_ms: TIMEOUT_MS };
    const accepted = await Promise.all(
      Array.from({ length: SIGNALS }, (_, n) => fleet.post('execute', payload(n), options)),
    );
    const acceptedMs = Date.now();
    expect(new Set(accepted.map(({ status }) => status))).toEqual(new Set([202]));
    await waitFor('the stop', async () => (await circuit()) === 'Open' && outside.running === 0);
    const before = [...outside.delivered];
    outside.most = 0;
    await fleet.kill('jidoka-1');
    await waitFor(
      'two trials, and the deadlines to be past',
      () => outside.delivered.length >= before.length + 2 && Date.now() - acceptedMs > TIMEOUT_MS,
      { limitMs: 30_000 },
    );
    expect(outside.most).toBe(1);
    outside.broken = false;
    await waitFor('the line to run', async () => (await circuit()) === 'Closed', { limitMs: 40_000 });
    const trials = outside.delivered.slice(before.length, before.length + 2);
    // The trials take signals that never failed, a different one each time.
    expect(new Set([...before, ...trials]).size).toBe(new Set(before).size + 2);

    const records = await Promise.all(
      accepted.map(({ body }) => fleet.get(`/signal/${body.signal_id}`, { prefer: 'wait=14' })),
    );
    const tried = (id: unknown): number => before.filter((each) => each === id).length;
    expect(records.map(({ body }) => [body.status, body.attempt])).toEqual(
      accepted.map(({ body }) => ['succeeded', 1 + tried(body.signal_id)]),
    );
    clearInterval(timer);
    const failed = (await Promise.all(others)).filter(({ body }) => body.status !== 'succeeded');
    expect(failed.map(({ status, body }) => [status, body])).toEqual([]);
    expect(others.length).toBeGreaterThan(100);
    // Each change of colour follows the one before: neither replica told it twice.
    const colours = (await history('type=execute&event=changed')).reverse();
    expect(colours.map(({ was }) => was)).toEqual([
      'GREEN',
      ...colours.slice(0, -1).map(({ colour }) => colour),
    ]);
  }, 120_000);

  test('equal defects latch the line, although it stopped and both replicas were killed between them', async () => {
    const report = (chaos: object): Promise<{ body: SignalAnswer }> => fleet.post('report', { chaos });
    const line = async (): Promise<{ state: string; epoch: number; latched: boolean } | undefined> =>
      (await fleet.get<{ circuits: Record<string, never> }>('/jidoka')).body.circuits.report;
    for (let n = 0; n < 2; n += 1) {
      expect((await report({ fail: 'defect' })).body.status).toBe('failed');
      expect((await fleet.post('report', {})).body.status).toBe('succeeded');
    }
    for (let n = 0; n < 3; n += 1) await fleet.send('report', { chaos: { fail: 'transient' } });
    await waitFor('the timed stop', async () => (await line())?.state === 'Open');
    await fleet.kill('jidoka-1');
    await fleet.kill('jidoka-2');
    await waitFor(
      'a trial that succeeds',
      async () => (await fleet.post('report', {})).body.status === 'succeeded',
      { limitMs: 40_000, everyMs: 200 },
    );
    await waitFor('the line to run', async () => (await line())?.state === 'Closed', { limitMs: 20_000 });
    await report({ fail: 'defect' });
    await waitFor('the latch', async () => (await line())?.latched);
    expect((await fleet.post('report', {})).body.code).toBe('LINE_STOPPED');
  }, 120_000);

  test('a call that nobody answers is one stop and one post, also when a replica of andon dies meanwhile', async () => {
    const cord = { signal_type: 'validate', mode: 'call', reason: 'drill', respond_within_ms: 2_000 };
    const { body: call } = await fleet.call<{ id: string }>('POST', '/andon/cord', cord);
    await fleet.kill('andon-1');
    await waitFor(
      'the stop in the history',
      async () => (await history(`id=${call.id}`)).some(({ event }) => event === 'escalated'),
      { limitMs: 20_000 },
    );
    await fleet.healthy().catch(() => undefined);
    const act = { owner: 'bob', countermeasure: 'drill over' };
    await waitFor('the resume', async () => {
      const { status } = await fleet.call('POST', `/andon/${call.id}/resume`, act);
      return status === 200;
    });
    const acts = (await history(`id=${call.id}`))
      .filter(({ event }) => event !== 'changed')
      .map(({ event, level = 0 }) => `${event} ${level}`)
      .reverse();
    // However late the resume was: each level was told once.
    const levels = [1, 2, 3].slice(0, acts.length - 2).map((level) => `escalated ${level}`);
    expect(acts).toEqual(['pulled 0', ...levels, 'resumed 0']);
    // The posts of the killed replica come to the other one when their time is up.
    const posted = (): string[] =>
      outside.posts().flatMap(({ id, event, level = 0 }) => (id === call.id ? `${event} ${level}` : []));
    await waitFor('the posts', () => posted().includes('resumed 0'), { limitMs: 60_000 });
    expect(posted().filter((post) => /escalated|resumed/.test(post))).toEqual([...levels, 'resumed 0']);
  }, 120_000);
});
