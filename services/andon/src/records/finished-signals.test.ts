import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome, ReplyOf, RequestOf } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { FinishedSignals } from './finished-signals';
import type { RecordReader } from './record-reader';
import { RecordStore } from './record-store';

let folder: string;
let log: Outcome[][];
let store: RecordStore;
let list: FinishedSignals;

/** A log in memory: the tests look at which places are asked for. */
const reader = {
  at: async (places: { seq: number; index: number }[]) => places.map(({ seq, index }) => log[seq]?.[index]),
} as unknown as RecordReader;

function record(given: Partial<Outcome>): void {
  const outcome = sampleOutcome(given);
  log.push([outcome]);
  const seq = log.length - 1;
  store.add({ outcome, seq, index: 0, timeMs: seq * 1_000 });
}
const page = (request: Partial<RequestOf<'finishedSignals'>> = {}): Promise<ReplyOf<'finishedSignals'>> =>
  list.page({ limit: 50, ...request });
const ids = async (request: Partial<RequestOf<'finishedSignals'>> = {}): Promise<string[]> =>
  (await page(request)).items.map(({ signal_id }) => signal_id);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tps-test-'));
  log = [[]];
  store = await RecordStore.open(folder);
  await store.startIn({ created: 'now', lastSeq: 0 }, { record: () => null, restore: () => undefined });
  list = new FinishedSignals(store, reader);
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

test('lists finished signals, newest first and without results, by any filter', async () => {
  record({ signal_id: 'a', status: 'failed', error_class: 'defect', signal_type: 'other' });
  record({ signal_id: 'b', result: { big: true } });
  record({ signal_id: 'c', status: 'retrying', final: false });
  record({ signal_id: 'd', status: 'failed', error_class: 'transient' });
  record({ signal_id: 'b', status: 'failed' });
  expect(await ids()).toEqual(['d', 'b', 'a']);
  expect((await page()).items[1]).not.toHaveProperty('result');
  expect(await ids({ status: ['failed'] })).toEqual(['d', 'a']);
  expect(await ids({ status: ['succeeded', 'rejected'] })).toEqual(['b']);
  expect(await ids({ class: 'defect' })).toEqual(['a']);
  expect(await ids({ type: 'other' })).toEqual(['a']);
  expect(await ids({ type: 'nobody' })).toEqual([]);
  expect(await ids({ since: new Date(2_000).toISOString() })).toEqual(['d', 'b']);
});

test('pages follow the log, also when it grows meanwhile', async () => {
  for (const signal_id of ['a', 'b', 'c', 'd']) record({ signal_id });
  const first = await page({ limit: 2 });
  expect(first.items.map(({ signal_id }) => signal_id)).toEqual(['d', 'c']);
  record({ signal_id: 'e' });
  const second = await page({ limit: 2, cursor: first.next! });
  expect(second.items.map(({ signal_id }) => signal_id)).toEqual(['b', 'a']);
  expect((await page({ limit: 2, cursor: second.next! })).next).toBeNull();
});

test('a page of a rare filter is empty when it is not among the newest 50,000, and the next page goes on', async () => {
  record({ signal_id: 'rare', signal_type: 'other' });
  for (let n = 0; n < 50_000; n += 1) record({ signal_id: `often-${n}` });
  const first = await page({ type: 'other' });
  expect(first).toEqual({ items: [], next: expect.any(String) as string });
  const second = await page({ type: 'other', cursor: first.next! });
  expect([second.items.map(({ signal_id }) => signal_id), second.next]).toEqual([['rare'], null]);
});

test('a requeued signal is listed once, with the outcome of its latest run', async () => {
  record({ signal_id: 'a', status: 'failed' });
  record({ signal_id: 'b' });
  record({ signal_id: 'a', run: 1 });
  expect(await ids()).toEqual(['a', 'b']);
  expect(await ids({ status: ['failed'] })).toEqual([]);
});

test('an outcome that the log has lost is left out', async () => {
  for (const signal_id of ['a', 'b', 'c']) record({ signal_id });
  log[2] = [];
  expect(await ids()).toEqual(['c', 'a']);
});
