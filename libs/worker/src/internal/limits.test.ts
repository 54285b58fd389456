import { setTimeout as sleep } from 'node:timers/promises';
import { type TSchema, Type } from '@sinclair/typebox';
import { openBucket } from '@tps/bus';
import {
  type Cards,
  cardsLease,
  type CardsRecord,
  type LeasesRecord,
  type Priority,
  rateKey,
  type RateRecord,
  WIRE_VERSION,
} from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { defineSignal, type SignalDefinition } from '../definition';
import { WorkerHarness } from './worker-harness.fixture';

jest.setTimeout(60_000);

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  harness.serveRecords();
});
afterAll(() => harness.close());

interface Run {
  worker: string;
  from: number;
  to?: number;
}
/** A type whose handler takes `workMs` and notes which worker ran it when. */
function timed(name: string, workMs: number, runs: Run[]): (worker: string) => SignalDefinition {
  const schema: TSchema = Type.Unknown();
  return (worker) =>
    defineSignal({
      name,
      input: schema,
      output: schema,
      run: async () => {
        const run: Run = { worker, from: performance.now() };
        runs.push(run);
        await sleep(workMs);
        run.to = performance.now();
        return null;
      },
    });
}
async function setCards(type: string, cards: Cards): Promise<void> {
  const record: CardsRecord = { v: WIRE_VERSION, signal_type: type, cards, set_at: '' };
  await (await openBucket(harness.bus, harness.bus.names.buckets.cards, 1)).put(type, JSON.stringify(record));
}
async function setRate(type: string, max_per_s: number): Promise<void> {
  const record: RateRecord = { v: WIRE_VERSION, signal_type: type, max_per_s, set_at: '' };
  await (
    await openBucket(harness.bus, harness.bus.names.buckets.schedule, 1)
  ).put(rateKey(type), JSON.stringify(record));
}
async function leases(key: string): Promise<LeasesRecord['holders']> {
  const entry = await (await openBucket(harness.bus, harness.bus.names.buckets.leases, 1)).get(key);
  return entry?.json<LeasesRecord>().holders ?? {};
}
const held = async (key: string): Promise<number> =>
  Object.values(await leases(key)).reduce((sum, lease) => sum + lease.held, 0);
const finished = (type: string, count: number): Promise<unknown> =>
  waitFor(`${count} of ${type}`, () => harness.of(type).filter(({ final }) => final).length >= count, {
    limitMs: 40_000,
  });
/** The most runs at once, and their mean number from the first start to the last. */
function concurrency(runs: readonly Run[]): { most: number; mean: number } {
  const edges = runs.flatMap(({ from, to = Infinity }) => [
    { at: from, step: 1 },
    { at: to, step: -1 },
  ]);
  edges.sort((a, b) => a.at - b.at || a.step - b.step);
  const starts = runs.map(({ from }) => from);
  const [first, last] = [Math.min(...starts), Math.max(...starts)];
  let [now, most] = [0, 0];
  for (const { step } of edges) most = Math.max(most, (now += step));
  const busyMs = runs.reduce((sum, { from, to = Infinity }) => sum + Math.min(to, last) - from, 0);
  return { most, mean: busyMs / (last - first) };
}

test('with three cards, four workers run never more than three signals at once over all lanes, and hardly ever fewer', async () => {
  const runs: Run[] = [];
  const type = timed('carded', 150, runs);
  await setCards('carded', 3);
  for (const name of ['a', 'b', 'c', 'd']) await harness.worker(name, [type(name)]);
  await waitFor('the cards to be out', async () => (await held(cardsLease('carded'))) === 3);
  for (let n = 0; n < 40; n += 1) await harness.enqueue('carded', { priority: ((n % 4) + 1) as Priority });
  await finished('carded', 40);
  const { most, mean } = concurrency(runs);
  expect(most).toBe(3);
  // A card that moves to another worker is unused for a few milliseconds.
  expect(mean).toBeGreaterThan(2.4);
  expect(Object.keys(await leases(cardsLease('carded'))).length).toBeGreaterThanOrEqual(3);
});

test('cards move to the worker that has a free slot, also when workers stop or start', async () => {
  const runs: Run[] = [];
  const other: Run[] = [];
  const type = timed('moving', 50, runs);
  const long = timed('long', 3_000, other);
  const first = await harness.worker('first', [type('first'), long('first')], { TPS_NUM_WORKERS: '2' });
  await setCards('moving', 2);
  await waitFor('the cards to be out', async () => (await held(cardsLease('moving'))) === 2);
  // Other work takes all its slots, so it cannot use the cards.
  await Promise.all([harness.enqueue('long'), harness.enqueue('long')]);
  await waitFor('the long ones', () => other.length === 2);
  await harness.worker('second', [type('second')], { TPS_NUM_WORKERS: '2' });
  for (let n = 0; n < 10; n += 1) await harness.enqueue('moving');
  await finished('moving', 10);
  expect(other.every(({ to }) => to === undefined)).toBe(true);
  expect(new Set(runs.map(({ worker }) => worker))).toEqual(new Set(['second']));
  await harness.stop(first);
  await waitFor('all cards at the remaining worker', async () => {
    return (await leases(cardsLease('moving'))).second?.held === 2;
  });
  expect(concurrency(runs).most).toBe(2);
});

test('a holder that is gone loses its cards; a silent one keeps them until its signals go to others', async () => {
  const bucket = await openBucket(harness.bus, harness.bus.names.buckets.leases, 1);
  harness.bus.nc.subscribe('alive.silent', { callback: (_, msg) => void msg.respond() });
  const record: LeasesRecord = {
    v: WIRE_VERSION,
    holders: { dead: { held: 1, address: 'alive.dead' }, silent: { held: 1, address: 'alive.silent' } },
  };
  await bucket.put(cardsLease('orphaned'), JSON.stringify(record));
  await setCards('orphaned', 2);
  const runs: Run[] = [];
  await harness.worker('heir', [timed('orphaned', 10, runs)('heir')]);
  await harness.enqueue('orphaned');
  await finished('orphaned', 1);
  expect(Object.keys(await leases(cardsLease('orphaned'))).sort()).toEqual(['heir', 'silent']);
  await waitFor('the second card', async () => (await leases(cardsLease('orphaned'))).heir?.held === 2);
});

test('a lower limit takes effect as work ends; without a limit all slots work again', async () => {
  const runs: Run[] = [];
  await harness.worker('wide', [timed('changing', 100, runs)('wide')], { TPS_NUM_WORKERS: '8' });
  await setCards('changing', 6);
  for (let n = 0; n < 60; n += 1) await harness.enqueue('changing');
  await finished('changing', 12);
  await setCards('changing', 1);
  await waitFor('one card', async () => (await held(cardsLease('changing'))) === 1);
  const since = runs.length;
  await finished('changing', since + 3);
  expect(concurrency(runs).most).toBe(6);
  expect(concurrency(runs.slice(since)).most).toBe(1);
  await (await openBucket(harness.bus, harness.bus.names.buckets.cards, 1)).delete('changing');
  await finished('changing', 60);
  expect(concurrency(runs).most).toBe(8);
  await waitFor('no card', async () => (await held(cardsLease('changing'))) === 0);
});

test('a rate holds over all workers, evenly, also with cards; idle time is not saved up', async () => {
  const runs: Run[] = [];
  const type = timed('paced', 100, runs);
  await setRate('paced', 10);
  await setCards('paced', 3);
  for (const name of ['a', 'b', 'c']) await harness.worker(name, [type(name)], { TPS_NUM_WORKERS: '2' });
  await waitFor('the cards to be out', async () => (await held(cardsLease('paced'))) === 3);
  for (let n = 0; n < 30; n += 1) await harness.enqueue('paced', { priority: ((n % 2) + 3) as Priority });
  await finished('paced', 30);
  const starts = runs.map(({ from }) => from).sort((a, b) => a - b);
  for (const from of starts) {
    const within = starts.filter((at) => at >= from && at < from + 1_000).length;
    expect(within).toBeLessThanOrEqual(12);
  }
  expect(starts.at(-1)! - starts[0]!).toBeLessThan(10_000);
});

test('a rate is reached, not only kept below', async () => {
  const runs: Run[] = [];
  await setRate('kept', 20);
  await harness.worker('kept', [timed('kept', 5, runs)('kept')], { TPS_NUM_WORKERS: '2' });
  for (let n = 0; n < 40; n += 1) await harness.enqueue('kept');
  await finished('kept', 40);
  const gaps = runs.slice(1).map(({ from }, i) => from - runs[i]!.from);
  // A missed start would come a quarter of a second later.
  expect(gaps.filter((gap) => gap > 100).length).toBeLessThanOrEqual(1);
});

test('work on a lane that no poll watches gets its turn while all slots are busy', async () => {
  const busy: Run[] = [];
  const urgent: Run[] = [];
  const types = (name: string) => [timed('busy', 50, busy)(name), timed('urgent', 1, urgent)(name)];
  await harness.worker('only', types('only'), { TPS_NUM_WORKERS: '2' });
  for (let n = 0; n < 200; n += 1) await harness.enqueue('busy', { priority: 4 });
  // The last poll on the other lanes ended long before.
  await finished('busy', 190);
  for (let n = 0; n < 200; n += 1) await harness.enqueue('busy', { priority: 4 });
  await finished('busy', 210);
  const before = busy.length;
  await harness.enqueue('urgent', { priority: 1 });
  await finished('urgent', 1);
  expect(busy.length - before).toBeLessThan(120);
});
