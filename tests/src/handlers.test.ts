import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { freePort, waitFor } from '@tps/testkit';
import { Fleet } from './fleet';

const WORKER = resolve(__dirname, '../dist/misbehaving-worker.js');
const KINDS = ['rejection', 'later rejection', 'nothing as the reason', 'timer', 'event', 'error event'];

/** Do the handlers of one process fail each other's signals? */
describe('handlers that misbehave beside honest ones', () => {
  let fleet: Fleet;
  let worker: ChildProcess;
  let port: number;
  let restarts = 0;
  beforeAll(async () => {
    fleet = await Fleet.start();
    port = await freePort();
    await start();
  }, 90_000);
  afterAll(async () => {
    worker?.kill('SIGKILL');
    await fleet?.stop();
  }, 60_000);

  function spawnWorker(): void {
    const env = {
      ...fleet.environment,
      METRICS_PORT: String(port),
      INSTANCE_ID: 'own',
      TPS_NUM_WORKERS: '16',
    };
    worker = spawn(process.execPath, [WORKER], { env, stdio: 'ignore' });
  }
  async function start(): Promise<void> {
    spawnWorker();
    const ready = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined))?.status === 200;
    await waitFor('the worker', ready, { limitMs: 20_000 });
    await waitFor('its types to be known', async () => {
      return (await fleet.post('honest', { ms: 0 })).body.status === 'succeeded';
    });
  }
  const outcome = async (id: string): Promise<Record<string, unknown>> =>
    (await fleet.get(`/signal/${id}`, { prefer: 'wait=14' })).body;
  const sendHonest = (ms: number): Promise<string[]> =>
    Promise.all(Array.from({ length: 4 }, () => fleet.send('honest', { ms })));
  async function expectHonest(ids: string[]): Promise<void> {
    for (const id of ids)
      expect(await outcome(id)).toMatchObject({ status: 'succeeded', attempt: 1, result: 1 });
  }
  async function strays(): Promise<Map<string, number>> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const lines = text.matchAll(/^tps_worker_stray_errors_total\{.*signal_type="([^"]*)".*\} (\d+)$/gm);
    return new Map([...lines].map(([, type, count]) => [type!, Number(count)]));
  }

  test('errors that handlers leave behind fail nobody, and are counted with their type', async () => {
    const honest = await sendHonest(1_500);
    const floating = [];
    for (const kind of [...KINDS, ...KINDS]) floating.push(await fleet.send('floating', { kind }));
    const aborted = await fleet.send('aborted', {});
    for (const id of floating) expect(await outcome(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(await outcome(aborted)).toMatchObject({ status: 'failed', attempt: 1, error_class: 'transient' });
    await expectHonest(honest);
    const counts = await waitFor('all to be counted', async () => {
      const found = await strays();
      const sum = [...found.values()].reduce((total, count) => total + count, 0);
      return sum === 2 * KINDS.length + 2 ? found : null;
    });
    // Those before the tracking began, or from outside of it.
    expect(counts.get('?') ?? 0).toBeLessThan(KINDS.length);
    expect(counts.get('floating')).toBeGreaterThanOrEqual(KINDS.length);
    expect(worker.exitCode).toBeNull();
  }, 60_000);

  test("an error of the fleet's own ends the process, but no second one cuts the work of others short", async () => {
    const honest = await sendHonest(2_000);
    await waitFor('it to run', async () => {
      const { body } = await fleet.get<{ items: unknown[] }>('/signals?type=honest&status=running');
      return body.items.length === 4;
    });
    const ended = new Promise((done) => worker.once('exit', done));
    await fleet.send('floating', { kind: 'fleet' });
    expect(await ended).toBe(1);
    await start();
    await expectHonest(honest);
  }, 60_000);

  test('a handler that ends its process fails after its attempts, as a defect that says so', async () => {
    const [failed, deaths] = await whileRestarted(async () => outcomeOf(await fleet.send('leaving', {})));
    expect(deaths).toBe(3);
    expect(failed).toMatchObject({
      status: 'failed',
      attempt: 3,
      error_class: 'defect',
      message: '3 attempts left no record: the worker died each time',
    });
    expect(worker.exitCode).toBeNull();
  }, 120_000);

  test('a handler that ends its process fails also when its time is over before it can run again', async () => {
    const [failed, deaths] = await whileRestarted(async () => {
      const timeout_ms = 2_000;
      const options = { timeout_ms, headers: { prefer: 'respond-async' } };
      const answers = [await fleet.post('leaving', {}, options)];
      await waitFor('the death', () => restarts > 0);
      answers.push(await fleet.post('leaving', {}, { timeout_ms }));
      expect(answers.map(({ body }) => body.status)).toEqual(['queued', 'processing']);
      return Promise.all(answers.map(({ body }) => outcomeOf(body.signal_id)));
    });
    expect(deaths).toBe(2);
    for (const outcome of failed) {
      expect(outcome).toMatchObject({
        ...{ status: 'failed', attempt: 1, error_class: 'transient', fingerprint: 'vanished:leaving' },
        message: 'attempt 1 left no record: the worker died; its timeout_ms ended before another attempt',
      });
    }
  }, 120_000);

  /** The record of a signal that ends `failed`. */
  function outcomeOf(id: string): Promise<Record<string, unknown>> {
    const ended = async (): Promise<Record<string, unknown> | null> => {
      const { body } = await fleet.get(`/signal/${id}`);
      return body.final === true ? body : null;
    };
    return waitFor('the outcome', ended, { limitMs: 90_000 });
  }

  /** Starts the worker again whenever it ends. @returns the result, and how often it ended */
  async function whileRestarted<T>(work: () => Promise<T>): Promise<[T, number]> {
    restarts = 0;
    const again = (): void => {
      restarts += 1;
      spawnWorker();
      worker.once('exit', again);
    };
    worker.once('exit', again);
    const result = await work();
    worker.off('exit', again);
    return [result, restarts];
  }
});
