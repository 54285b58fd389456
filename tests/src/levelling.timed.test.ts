import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import { type ServiceHandle, startService } from '@tps/service';
import { waitFor } from '@tps/testkit';
import { defineSignal, workerService } from '@tps/worker';
import { Fleet } from './fleet';

interface Run {
  id: string;
  type: string;
  from: number;
  to: number;
}
interface View {
  status: string;
  final: boolean;
  attempt: number;
  worker_id: string;
}

const WORKERS = 4;
const SLOTS_EACH = 2;
const SLOTS = WORKERS * SLOTS_EACH;
/**
 * Types of the test's own workers, and how long one takes in milliseconds. The type that holds the slots is slow from
 * the start, because a worker fetches more of fast work than it has slots for.
 */
const WORK_MS = { hold: 60, a: 5, b: 5, c: 5, ranked: 5, carded: 200, paced: 5, recalled: 20 };
const ENV = { TPS_HEIJUNKA_POOL: '2', TPS_KANBAN_BUFFER: '5000' };

/** Is work taken in level order, within its limits, and only once, over four workers and with a whole fleet around them? */
describe('levelling', () => {
  let fleet: Fleet;
  const workers: ServiceHandle[] = [];
  let letGo: () => void = () => undefined;
  let gate: Promise<void> = Promise.resolve();
  const runs: Run[] = [];
  const of = (type: string): Run[] => runs.filter((run) => run.type === type);

  const signals = Object.entries(WORK_MS).map(([type, workMs]) =>
    defineSignal({
      name: type,
      input: Type.Object({}),
      output: Type.Null(),
      timeoutMs: 60_000,
      run: async (_, { signal }) => {
        const run = { id: signal.id, type, from: performance.now(), to: Infinity };
        runs.push(run);
        await sleep(workMs);
        if (type === 'hold') await gate;
        run.to = performance.now();
        return null;
      },
    }),
  );

  beforeAll(async () => {
    fleet = await Fleet.start(ENV);
    const { NATS_URL } = fleet.environment;
    const start = async (n: number): Promise<void> => {
      const own = { INSTANCE_ID: `own-${n}`, TPS_NUM_WORKERS: String(SLOTS_EACH) };
      const env = { NATS_URL, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', ...own };
      const onFail = (error: unknown): void => console.error(error);
      workers.push(
        await startService(
          workerService({}, () => ({ signals })),
          env,
          onFail,
        ),
      );
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, n) => start(n)));
    for (const { name } of signals) {
      await waitFor(`the type ${name}`, async () => (await fleet.post(name, {})).status === 202);
    }
  }, 90_000);
  afterAll(async () => {
    letGo();
    await Promise.all(workers.map((worker) => worker.stop()));
    await fleet?.stop();
  }, 60_000);

  /** Queues so many, in this order but for what is on its way at once. */
  async function queue(count: number, send: (n: number) => Promise<string>): Promise<string[]> {
    const ids: string[] = [];
    for (let n = 0; n < count; n += 25) {
      const some = Array.from({ length: Math.min(25, count - n) }, (_, i) => send(n + i));
      ids.push(...(await Promise.all(some)));
    }
    return ids;
  }
  async function sendRanked(priority: number): Promise<string> {
    const { status, body } = await fleet.post(
      'ranked',
      {},
      { priority, headers: { prefer: 'respond-async' } },
    );
    expect(status).toBe(202);
    return body.signal_id;
  }
  /** Takes every slot of the workers until `letGo`. */
  async function hold(): Promise<void> {
    const before = of('hold').length;
    gate = new Promise((done) => (letGo = done));
    await queue(SLOTS, () => fleet.send('hold', {}));
    await waitFor('all slots to be held', () => of('hold').length === before + SLOTS);
  }
  const ended = (type: string, count: number): Promise<unknown> =>
    waitFor(`${count} of ${type}`, () => of(type).filter(({ to }) => to < Infinity).length >= count, {
      limitMs: 30_000,
    });
  async function final(id: string): Promise<View> {
    const { body } = await fleet.get<View>(`/signal/${id}`, { prefer: 'wait=14' });
    return body;
  }

  test('300 A, 100 B and 100 C, queued in that order, leave mixed as they are asked for', async () => {
    await hold();
    const from = runs.length;
    await queue(300, () => fleet.send('a', {}));
    await queue(100, () => fleet.send('b', {}));
    await queue(100, () => fleet.send('c', {}));
    await waitFor('the demand to be known', async () => {
      const { body } = await fleet.get<{ schedule: { demand: Record<string, number> } }>('/heijunka');
      const { a = 0, b = 0, c = 0 } = body.schedule.demand;
      return Math.abs(a / b - 3) < 0.3 && Math.abs(a / c - 3) < 0.3;
    });
    letGo();
    await waitFor('all to start', () => runs.length === from + 500, { limitMs: 30_000 });
    let taken = 0;
    const off = runs
      .slice(from)
      .map(({ type }, n) => Math.abs((taken += Number(type === 'a')) - 0.6 * (n + 1)));
    report('largest |A(n) - 0.6 n|', Math.max(...off));
    expect(Math.max(...off)).toBeLessThanOrEqual(SLOTS + 8);
  }, 60_000);

  test('with as many signals of priority 1 as of 4, priority 1 is 65 to 92 % of the first half', async () => {
    await hold();
    const from = runs.length;
    const ids = await queue(800, (n) => sendRanked(n % 2 === 0 ? 4 : 1));
    const urgent = new Set(ids.filter((_, n) => n % 2 === 1));
    letGo();
    await waitFor('all to start', () => runs.length === from + 800, { limitMs: 30_000 });
    const share = runs.slice(from, from + 400).filter(({ id }) => urgent.has(id)).length / 400;
    report('share of priority 1', share);
    expect(share).toBeGreaterThanOrEqual(0.65);
    expect(share).toBeLessThanOrEqual(0.92);
  }, 60_000);

  test('three cards: never more than three at once, and fewer only while a card changes hands', async () => {
    expect((await fleet.call('PUT', '/kanban/carded', { cards: 3 })).status).toBe(200);
    const before = of('carded').length;
    await queue(50, () => fleet.send('carded', {}));
    await ended('carded', before + 50);
    const { most, gaps, lasted } = usage(of('carded').slice(before), 3);
    const idle = gaps.reduce((sum, ms) => sum + ms, 0) / lasted;
    report('longest gap in ms, share of time below three', [Math.max(0, ...gaps), idle]);
    expect(most).toBe(3);
    expect(Math.max(0, ...gaps)).toBeLessThan(100);
    expect(idle).toBeLessThan(0.1);
  }, 60_000);

  test('the signals in flight at a killed worker end elsewhere within ten seconds', async () => {
    const ids = await queue(8, () => fleet.send('execute', { chaos: { sleep_ms: 1_000 } }));
    const views = (): Promise<View[]> =>
      Promise.all(ids.map(async (id) => (await fleet.get<View>(`/signal/${id}`)).body));
    await waitFor('all to run', async () => (await views()).every(({ status }) => status === 'running'), {
      limitMs: 900,
    });
    await fleet.kill('worker-1');
    const killedMs = performance.now();
    const finals = await Promise.all(ids.map(final));
    const tookMs = performance.now() - killedMs;
    report('ms from the kill to the last end', tookMs);
    expect(finals.map(({ status }) => status)).toEqual(ids.map(() => 'succeeded'));
    const again = finals.filter(({ attempt }) => attempt === 2);
    expect(again.length).toBeGreaterThan(0);
    expect(tookMs).toBeLessThan(10_000);
  }, 60_000);

  test('the rate limit of a type holds over all workers in every second', async () => {
    expect((await fleet.call('PUT', '/heijunka/paced', { max_per_s: 20 })).status).toBe(200);
    await waitFor('the rate limit to be set', async () => {
      const { body } = await fleet.get<{ max_per_s: Record<string, number> }>('/heijunka');
      return body.max_per_s.paced === 20;
    });
    const before = of('paced').length;
    await queue(80, () => fleet.send('paced', {}));
    await ended('paced', before + 80);
    const starts = of('paced')
      .slice(before)
      .map(({ from }) => from);
    const within = starts.map((from) => starts.filter((at) => at >= from && at < from + 1_000).length);
    report('most starts in a second, seconds for 80', [
      Math.max(...within),
      (starts.at(-1)! - starts[0]!) / 1_000,
    ]);
    expect(Math.max(...within)).toBeLessThanOrEqual(21);
    // Four seconds at best; while the lead passes from one worker to another nobody starts any.
    expect(starts.at(-1)! - starts[0]!).toBeLessThan(5_500);
  }, 60_000);

  test('a signal that is cancelled under load never runs, and one that runs is not cancelled', async () => {
    const before = of('recalled').length;
    const ids = await queue(300, () => fleet.send('recalled', {}));
    const asked = ids.filter((_, n) => n % 2 === 1).reverse();
    const answers = new Map<string, number>();
    await queue(asked.length, async (n) => {
      const id = asked[n]!;
      answers.set(id, (await fleet.remove(`/signal/${id}`)).status);
      return id;
    });
    const finals = await Promise.all(ids.map(async (id) => ({ id, ...(await final(id)) })));
    const cancelled = finals.filter(({ status }) => status === 'cancelled').map(({ id }) => id);
    const succeeded = finals.filter(({ status }) => status === 'succeeded').map(({ id }) => id);
    report('cancelled, succeeded', [cancelled.length, succeeded.length]);
    expect(cancelled.length + succeeded.length).toBe(300);
    expect(cancelled.length).toBeGreaterThan(0);
    expect([...answers].flatMap(([id, status]) => (status === 200 ? [id] : [])).sort()).toEqual(
      cancelled.sort(),
    );
    const ran = of('recalled').slice(before);
    expect(ran.map(({ id }) => id).sort()).toEqual(succeeded.sort());
  }, 60_000);
});

/** How many ran at once, and for how long fewer than `cards` from when that many ran first to the last start. */
function usage(runs: readonly Run[], cards: number): { most: number; gaps: number[]; lasted: number } {
  const lastStart = Math.max(...runs.map(({ from }) => from));
  const edges = runs
    .flatMap(({ from, to }) => [
      { at: from, step: 1 },
      { at: to, step: -1 },
    ])
    .filter(({ at }) => at <= lastStart)
    .sort((x, y) => x.at - y.at || x.step - y.step);
  let [now, most, fullMs, belowMs] = [0, 0, -1, -1];
  const gaps: number[] = [];
  for (const { at, step } of edges) {
    most = Math.max(most, (now += step));
    if (now >= cards && fullMs < 0) fullMs = at;
    if (fullMs < 0) continue;
    if (now < cards && belowMs < 0) belowMs = at;
    if (now >= cards && belowMs >= 0) {
      gaps.push(at - belowMs);
      belowMs = -1;
    }
  }
  return { most, gaps, lasted: lastStart - fullMs };
}

/** With FIGURES=1 what was measured is printed, for docs/reliability.md. */
function report(what: string, figure: number | number[]): void {
  if (process.env.FIGURES) process.stderr.write(`${what}: ${JSON.stringify(figure)}\n`);
}
