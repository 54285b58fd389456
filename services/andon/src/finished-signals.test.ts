import type { Outcome, ReplyOf, RequestOf } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { FinishedSignals } from './finished-signals';
import type { RecordReader } from './record-reader';

let log: Outcome[][];
let list: FinishedSignals;

/** A log in memory: what is tested is which places are asked for. */
const reader = {
  at: async (places: { seq: number; index: number }[]) => places.map(({ seq, index }) => log[seq]?.[index]),
} as unknown as RecordReader;

function record(given: Partial<Outcome>, superseded = false): void {
  const outcome = sampleOutcome(given);
  log.push([outcome]);
  const seq = log.length - 1;
  list.take({ outcome, seq, index: 0, timeMs: seq * 1_000, superseded, live: true });
}
const page = (request: Partial<RequestOf<'finishedSignals'>> = {}): Promise<ReplyOf<'finishedSignals'>> =>
  list.page({ limit: 50, ...request });
const ids = async (request: Partial<RequestOf<'finishedSignals'>> = {}): Promise<string[]> =>
  (await page(request)).items.map(({ signal_id }) => signal_id);

beforeEach(() => {
  log = [[]];
  list = new FinishedSignals(reader, 5);
});

test('lists what is finished, newest first and without results, by any filter', async () => {
  record({ signal_id: 'a', status: 'failed', error_class: 'defect', signal_type: 'other' });
  record({ signal_id: 'b', result: { big: true } });
  record({ signal_id: 'c', status: 'retrying' });
  record({ signal_id: 'd', status: 'failed', error_class: 'transient' });
  record({ signal_id: 'b', status: 'failed' }, true);
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
  expect(second.next).toBeNull();
});

test('a signal that was run again is listed once, with what became of it last', async () => {
  record({ signal_id: 'a', status: 'failed' });
  record({ signal_id: 'b' });
  record({ signal_id: 'a', run: 1 });
  expect(await ids()).toEqual(['a', 'b']);
  expect(await ids({ status: ['failed'] })).toEqual([]);
});

test('forgets the oldest beyond what it keeps', async () => {
  for (let n = 0; n < 8; n += 1) record({ signal_id: `s${n}` });
  expect(await ids()).toEqual(['s7', 's6', 's5', 's4', 's3']);
  log[8] = [];
  expect(await ids()).toEqual(['s6', 's5', 's4', 's3']);
});
