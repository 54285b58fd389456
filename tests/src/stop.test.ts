import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { freePort, waitFor } from '@tps/testkit';
import { type Answer, Fleet, type SignalAnswer } from './fleet';

/** Does a stop lose anything, and does anybody outside notice a rolling restart? */
const WORKER = resolve(__dirname, '../../services/worker/dist/main.js');
/** Services that answer requests need a second replica meanwhile. The work of the others waits in a log. */
const REPLICAS = { TPS_HEIJUNKA_POOL: '2', TPS_REPLICAS_KANBAN: '2', TPS_REPLICAS_ANDON: '2' };
const RESTARTED = [
  ...['heijunka-1', 'kaizen-1', 'andon-1', 'andon-2', 'worker-1', 'worker-2'],
  ...['jidoka-1', 'kanban-1', 'kanban-2'],
];
const RATE_PER_S = 30;

/** Posts at a fixed rate while `run` lasts; every other signal has a key, and so is looked up first. */
async function underLoad(fleet: Fleet, run: () => Promise<void>): Promise<Answer<SignalAnswer>[]> {
  const answers: Promise<Answer<SignalAnswer>>[] = [];
  const timer = setInterval(() => {
    const n = answers.length;
    const headers: Record<string, string> = n % 2 === 0 ? {} : { 'idempotency-key': `rolling-${n}` };
    answers.push(fleet.post('validate', { data: n }, { headers }));
  }, 1_000 / RATE_PER_S);
  try {
    await run();
  } finally {
    clearInterval(timer);
    await Promise.allSettled(answers);
  }
  return Promise.all(answers);
}

describe('stopping', () => {
  let fleet: Fleet;
  beforeAll(async () => (fleet = await Fleet.start(REPLICAS)), 90_000);
  afterAll(() => fleet?.stop(), 60_000);

  test('a rolling restart of every service behind the gateway fails no request', async () => {
    const answers = await underLoad(fleet, async () => {
      for (const name of RESTARTED) {
        const before = await fleet.pid(name);
        process.kill(before, 'SIGTERM');
        await waitFor(
          `${name} to be back`,
          async () => (await fleet.pid(name).catch(() => before)) !== before,
          {
            limitMs: 20_000,
          },
        );
        await fleet.healthy();
      }
    });
    const failed = answers.filter(({ status, body }) => status !== 202 || body.status !== 'succeeded');
    expect(failed.map(({ status, body }) => [status, body])).toEqual([]);
    expect(answers.length).toBeGreaterThan(100);
  }, 180_000);

  test('a gateway that stops answers whoever waits, and then takes no more', async () => {
    const before = await fleet.pid('gateway-1');
    const waiting = fleet.post('validate', { data: 1, chaos: { sleep_ms: 1_500 } });
    await waitFor('the signal to run', async () => {
      const { body } = await fleet.get<{ items: { status: string }[] }>('/signals?status=running');
      return body.items.length > 0;
    });
    process.kill(before, 'SIGTERM');
    expect(await waiting).toMatchObject({ status: 202, body: { status: 'succeeded' } });
    await waitFor(
      'another gateway',
      async () => (await fleet.pid('gateway-1').catch(() => before)) !== before,
    );
    await fleet.healthy();
  }, 60_000);

  describe("a worker of one's own", () => {
    let worker: ChildProcess;
    let said: string;
    let ended: Promise<{ code: number | null; signal: string | null }>;
    beforeEach(async () => {
      const env = { ...fleet.environment, INSTANCE_ID: 'own', METRICS_PORT: String(await freePort()) };
      said = '';
      worker = spawn(process.execPath, [WORKER], { env, stdio: ['ignore', 'pipe', 'ignore'] });
      worker.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
      ended = new Promise((done) => worker.once('exit', (code, signal) => done({ code, signal })));
      await waitFor('it to join', async () => {
        const { body } = await fleet.get<{ distribution: Record<string, unknown> }>('/heijunka');
        return 'own' in body.distribution;
      });
    }, 30_000);
    afterEach(() => worker.kill('SIGKILL'));

    /** Fills every slot of all three workers with long work, and says which signals this one has. */
    async function occupy(sleep_ms: number): Promise<string[]> {
      const ids = await Promise.all(
        Array.from({ length: 12 }, () => fleet.send('execute', { task: 'demo', chaos: { sleep_ms } })),
      );
      return waitFor('its slots to be taken', async () => {
        const views = await Promise.all(ids.map((id) => fleet.get<{ worker_id?: string }>(`/signal/${id}`)));
        const own = ids.filter((_, i) => views[i]?.body.worker_id === 'own');
        return own.length > 0 ? own : null;
      });
    }
    const outcome = async (id: string): Promise<Record<string, unknown>> =>
      (await fleet.get(`/signal/${id}`, { prefer: 'wait=14' })).body;

    test('finishes what it has begun and ends with 0', async () => {
      const own = await occupy(2_000);
      worker.kill('SIGTERM');
      expect(await ended).toEqual({ code: 0, signal: null });
      for (const id of own) {
        expect(await outcome(id)).toMatchObject({ status: 'succeeded', attempt: 1, worker_id: 'own' });
      }
    }, 60_000);

    test('a second signal ends it at once, and its work runs elsewhere', async () => {
      const own = await occupy(6_000);
      worker.kill('SIGTERM');
      // The first one has been heard when it says so, and with 6 s of work left it stays.
      await waitFor('it to be leaving', () => /"message":"stopping"/.test(said));
      expect(worker.exitCode).toBeNull();
      const began = Date.now();
      worker.kill('SIGTERM');
      expect((await ended).code).toBe(1);
      expect(Date.now() - began).toBeLessThan(4_000);
      for (const id of own) {
        const final = await outcome(id);
        expect(final).toMatchObject({ status: 'succeeded' });
        expect(final.worker_id).not.toBe('own');
      }
    }, 90_000);
  });
});
