import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { PlacedOutcome } from './record-entry';
import type { Figures } from './kept-figures';
import { RecordStore } from './record-store';

const LOG = { created: '2026-01-01T00:00:00Z', lastSeq: 1_000_000 };
const NOTHING: Figures = { record: () => null, restore: () => undefined };
const T0 = Date.parse('2026-01-01T12:00:00Z');
let folder: string;
let stores: RecordStore[];

async function open(): Promise<RecordStore> {
  const store = await RecordStore.open(folder);
  stores.push(store);
  return store;
}

function placed(seq: number, signal_id: string, more: Partial<PlacedOutcome['outcome']> = {}): PlacedOutcome {
  const outcome = {
    signal_id,
    run: 0,
    signal_type: 'drill',
    status: 'succeeded' as const,
    final: true,
    ...more,
  };
  return { seq, index: 0, timeMs: T0 + seq * 1_000, outcome };
}

async function filled(...outcomes: PlacedOutcome[]): Promise<RecordStore> {
  const store = await open();
  await store.startIn(LOG, NOTHING);
  for (const each of outcomes) store.add(each);
  return store;
}

const seqsOf = async (store: RecordStore, id: string): Promise<number[]> =>
  ((await store.positionsOf([id])).get(id) ?? []).map(({ seq }) => seq);
const all = { entries: 1_000, looks: 100_000 };
const END = 1e14;

beforeEach(async () => {
  stores = [];
  folder = await mkdtemp(join(tmpdir(), 'tps-test-'));
});
afterEach(async () => {
  for (const store of stores) await store.close();
  await rm(folder, { recursive: true });
});

test('positions come back as they were put, oldest first, before and after they are written', async () => {
  const id = randomUUID();
  const first = { ...placed(7, id, { status: 'retrying', final: false }), index: 255 };
  const second = { ...placed(200_000_000_000, id, { run: 3 }), index: 16_383 };
  const wanted = [
    { seq: 7, index: 255, run: 0, final: false },
    { seq: 200_000_000_000, index: 16_383, run: 3, final: true },
  ];
  const store = await filled(first, second);
  expect((await store.positionsOf([id, 'nobody'])).get(id)).toEqual(wanted);
  const flushed = store.flush();
  expect((await store.positionsOf([id])).get(id)).toEqual(wanted);
  await flushed;
  expect([...(await store.positionsOf([id, 'nobody']))]).toEqual([[id, wanted]]);
});

test('an id that is no UUID is an id too', async () => {
  const store = await filled(placed(1, 'order-1'), placed(2, 'order-11'));
  await store.flush();
  expect(await seqsOf(store, 'order-1')).toEqual([1]);
  const { entries } = await store.walk(END, () => true, all);
  expect(entries.map(({ id }) => id)).toEqual(['order-11', 'order-1']);
});

test('a process that starts again goes on behind what it has written, and takes nothing twice', async () => {
  const store = await filled(placed(1, 'a'), placed(2, 'b'));
  await store.flush();
  store.add(placed(3, 'c'));
  await store.close();
  stores.pop();
  const next = await open();
  expect(next.position).toBe(2);
  for (const seq of [1, 2, 3]) next.add(placed(seq, 'abc'[seq - 1]!));
  await next.flush();
  expect(await Promise.all(['a', 'b', 'c'].map((id) => seqsOf(next, id)))).toEqual([[1], [2], [3]]);
});

describe('figures', () => {
  /** Counts what it takes, as the board does. */
  class Counter implements Figures {
    count = 0;
    record(): number {
      return this.count;
    }
    restore(count: number): void {
      this.count = count;
    }
  }
  const fill = async (store: RecordStore, counter: Counter, seqs: number[]): Promise<void> => {
    for (const seq of seqs) {
      store.add(placed(seq, `s${seq}`));
      if (store.counts(seq)) counter.count += 1;
    }
    await store.flush();
  };

  test('a start restores them and counts each later outcome once', async () => {
    const [store, before, after] = [await open(), new Counter(), new Counter()];
    expect(await store.startIn(LOG, before)).toBe(1);
    await fill(store, before, [990_001, 990_002]);
    // Written soon after the first, so these are not in the kept figures yet.
    await fill(store, before, [990_003, 1_000_000]);
    await store.close();
    stores.pop();
    const next = await open();
    expect(await next.startIn(LOG, after)).toBe(990_001);
    await fill(next, after, [990_001, 990_002, 990_003, 1_000_000]);
    expect(after.count).toBe(4);
    expect(await seqsOf(next, 's990003')).toEqual([990_003]);
  });

  test('figures of another log are not restored', async () => {
    const [store, before, after] = [await open(), new Counter(), new Counter()];
    await store.startIn(LOG, before);
    await fill(store, before, [1]);
    expect(await store.startIn({ ...LOG, created: '2026-02-02T00:00:00Z' }, after)).toBe(1);
    expect([after.count, store.counts(1)]).toEqual([0, true]);
  });
});

test.each([
  ['another log', { ...LOG, created: '2026-02-02T00:00:00Z' }],
  ['a log that was set back', { ...LOG, lastSeq: 1 }],
])('the index of %s is emptied', async (_, log) => {
  const store = await filled(placed(1, 'a'), placed(2, 'b'));
  await store.flush();
  expect(await store.startIn(log, NOTHING)).toBe(1);
  expect(await seqsOf(store, 'a')).toEqual([]);
  store.add(placed(1, 'z'));
  await store.flush();
  expect((await store.walk(END, () => true, all)).entries.map(({ id }) => id)).toEqual(['z']);
});

test('nothing of the old log is written into the index of the new one', async () => {
  const store = await filled(placed(1, 'a'));
  const writing = store.flush();
  store.restart('2026-02-02T00:00:00Z');
  store.add(placed(1, 'b'));
  await writing;
  await store.flush();
  expect(await seqsOf(store, 'a')).toEqual([]);
  expect(await seqsOf(store, 'b')).toEqual([1]);
  expect(store.position).toBe(1);
});

test('a walk goes from the newest to the oldest, in parts, and ends where it is told', async () => {
  const store = await filled(
    placed(1, 'a', { status: 'failed', error_class: 'defect' }),
    placed(2, 'b', { signal_type: 'other' }),
    placed(3, 'c', { status: 'retrying', final: false }),
    placed(4, 'd', { run: 2 }),
  );
  await store.flush();
  const whole = await store.walk(END, () => true, all);
  expect(whole.next).toBeNull();
  expect(whole.entries).toEqual([
    { seq: 4, index: 0, id: 'd', run: 2, type: 'drill', status: 'succeeded', timeMs: T0 + 4_000 },
    { seq: 2, index: 0, id: 'b', run: 0, type: 'other', status: 'succeeded', timeMs: T0 + 2_000 },
    {
      ...{ seq: 1, index: 0, id: 'a', run: 0, type: 'drill', status: 'failed' },
      ...{ errorClass: 'defect', timeMs: T0 + 1_000 },
    },
  ]);
  const first = await store.walk(END, () => true, { ...all, entries: 1 });
  const rest = await store.walk(first.next!, () => true, all);
  expect(rest.entries.map(({ id }) => id)).toEqual(['b', 'a']);
  const until = await store.walk(END, ({ seq }) => (seq < 4 ? 'end' : true), all);
  expect([until.entries.length, until.next]).toEqual([1, null]);
});

test('a walk looks at a bounded number of entries, and goes on from there', async () => {
  const many = Array.from({ length: 2_500 }, (_, n) => placed(n + 1, `s${n + 1}`));
  const store = await filled(...many);
  await store.flush();
  const wanted = ({ seq }: { seq: number }): boolean => seq === 1;
  const first = await store.walk(END, wanted, { entries: 5, looks: 1_000 });
  expect(first.entries).toEqual([]);
  const second = await store.walk(first.next!, wanted, { entries: 5, looks: 100_000 });
  expect(second.entries.map(({ id }) => id)).toEqual(['s1']);
});

test('outcomes that the log has lost are removed, and later ones of the same signal stay', async () => {
  const store = await filled(placed(1, 'a'), placed(2, 'b'), placed(3, 'a', { run: 1 }));
  await store.flush();
  expect(await store.removeBefore(3)).toBe(false);
  expect(await seqsOf(store, 'a')).toEqual([3]);
  expect(await seqsOf(store, 'b')).toEqual([]);
  expect((await store.walk(END, () => true, all)).entries.map(({ seq }) => seq)).toEqual([3]);
});

test('two processes use folders of their own', async () => {
  const one = await filled(placed(1, 'a'));
  await one.flush();
  const two = await open();
  expect(two.position).toBe(0);
  await one.close();
  stores.shift();
  expect((await open()).position).toBe(1);
});

test('an index that cannot be read is built anew', async () => {
  const store = await filled(placed(1, 'a'));
  await store.flush();
  await store.close();
  stores.pop();
  await writeFile(join(folder, '0', 'CURRENT'), 'nonsense');
  expect((await open()).position).toBe(0);
});
