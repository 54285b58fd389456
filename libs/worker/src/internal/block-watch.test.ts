import { type Block, BlockTeller, BlockWatch, GRACE_MS, type Holds, lookMs, type Phase } from './block-watch';
import type { LeasedSignal } from './lease-table';

const LEASE_MS = 8_000;
const DATE_MS = 1_764_353_000_000;
const signal = (id: string, leftMs: number): LeasedSignal => ({
  ...{ id, ack: `ack-${id}`, type: 'demo', opened: true, started: true },
  endsAtMs: DATE_MS + leftMs,
});
const NOTHING: Holds = { running: undefined, signals: [], dateMs: DATE_MS };
const FETCHED = { ...signal('waits', 0), opened: false, started: false };

/** Looks every 200 ms, without a beat. @returns when each phase began */
function still(watch: BlockWatch, [fromMs, toMs]: [number, number], holds = NOTHING): [number, Phase][] {
  const found: [number, Phase][] = [];
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 200) {
    const phase = watch.look({ nowMs, leaseMs: LEASE_MS, beats: 1 }, () => holds);
    if (found.at(-1)?.[1] !== phase) found.push([nowMs, phase]);
  }
  return found;
}

test('a block is noticed after three looks, logged after a second and given up when the time of the handler is over', () => {
  const one = signal('one', 9_400);
  const holds = { ...NOTHING, running: one, signals: [one, signal('other', 60_000), FETCHED] };
  const watch = new BlockWatch();
  expect(still(watch, [0, 20_000], holds)).toEqual([
    [0, 'turning'],
    [600, 'still'],
    [1_000, 'blocked'],
    [600 + 9_400 + GRACE_MS + 200, 'let_go'],
  ]);
  expect(watch.block).toMatchObject({ sinceMs: 0, signal: { id: 'one' }, others: [{ id: 'other' }] });
  expect(watch.look({ nowMs: 20_200, leaseMs: LEASE_MS, beats: 2 }, () => holds)).toBe('turning');
});

test('if several handlers may be the cause, the longest of their times counts, and no signal is named', () => {
  const watch = new BlockWatch();
  still(watch, [0, 1_000], { ...NOTHING, signals: [signal('a', 1_000), signal('b', 7_000)] });
  expect(watch.block).toMatchObject({ signal: undefined, untilMs: 600 + 7_000 + GRACE_MS });
});

test('the only handler that was started is the one that blocks', () => {
  const watch = new BlockWatch();
  still(watch, [0, 1_000], { ...NOTHING, signals: [signal('a', 1_000), FETCHED] });
  expect(watch.block).toMatchObject({ signal: { id: 'a' }, others: [], isOfHandler: true });
});

test('the thread does not speak for a main thread that stands still without a handler', () => {
  const watch = new BlockWatch();
  expect(still(watch, [0, 2_000]).map(([, phase]) => phase)).toEqual(['turning', 'still', 'let_go']);
});

test('a process that was stopped as a whole is not blocked, because its main thread could not beat', () => {
  const watch = new BlockWatch();
  still(watch, [0, 200]);
  expect(still(watch, [60_000, 60_400])).toEqual([[60_000, 'turning']]);
});

test('beats and looks are frequent enough for the shortest lease, and rare for a long one', () => {
  expect([2_000, 8_000, 300_000].map(lookMs)).toEqual([50, 200, 250]);
});

describe('the log', () => {
  const block = (sinceMs: number): Block => ({
    ...{ sinceMs, untilMs: Infinity, signal: undefined, isOfHandler: true, others: [] },
  });

  test('has one line for a block, and one for its end', () => {
    const teller = new BlockTeller();
    const first = block(0);
    expect([teller.tell(first, 1_000), teller.tell(first, 1_200), teller.tellsEnd(first)]).toEqual([
      0,
      null,
      true,
    ]);
  });

  test('has a line for short blocks at most every 10 s, and counts the others', () => {
    const teller = new BlockTeller();
    const told = [0, 2_000, 4_000, 6_000, 12_000].map((sinceMs) => {
      const one = block(sinceMs);
      return [teller.tell(one, sinceMs + 1_000), teller.tellsEnd(one)];
    });
    expect(told).toEqual([
      [0, true],
      [null, false],
      [null, false],
      [null, false],
      [3, true],
    ]);
  });

  test('has a line for every block of 5 s', () => {
    const teller = new BlockTeller();
    const [first, second] = [block(0), block(2_000)];
    teller.tell(first, 1_000);
    expect([teller.tell(second, 3_000), teller.tell(second, 7_000), teller.tell(second, 7_200)]).toEqual([
      null,
      0,
      null,
    ]);
    expect(teller.tellsEnd(second)).toBe(true);
  });
});
