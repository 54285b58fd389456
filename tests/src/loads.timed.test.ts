import { setTimeout as sleep } from 'node:timers/promises';
import { RejectedError } from '@tps/worker';
import { LONG, long } from './faults/fault-scenario';
import { LoadedFleet } from './load-kit';

const STEADY_S = LONG ? 60 : 15;

const WORK_MS = 130;
const work = () => sleep(WORK_MS);
const RED = (rule: string) => (line: { colour: string; rule: string }) =>
  line.colour === 'RED' && line.rule === rule;

let loaded: LoadedFleet;

describe('three types in one fleet', () => {
  const limping = async ({ n }: { n: number }): Promise<void> => {
    await sleep(5);
    if (n % 20 === 7) throw new Error('the press jams');
  };
  let startMs: number;
  let offered: Promise<unknown>;
  beforeAll(async () => {
    loaded = await LoadedFleet.start({
      steady: { standardMs: 250, run: work },
      limping: { standardMs: 1_000, retry: { max_attempts: 1 }, run: limping },
      wrong: { run: () => Promise.reject(new RejectedError('no order number')) },
    });
    startMs = Date.now();
    offered = Promise.all([
      loaded.offer({ type: 'steady', perSecond: 15, seconds: STEADY_S }),
      loaded.offer({ type: 'limping', perSecond: 20, seconds: STEADY_S }),
      loaded.offer({ type: 'wrong', perSecond: 20, seconds: 2 }),
    ]);
  }, 60_000);
  afterAll(() => loaded?.stop(), 60_000);

  test('all signals of a type are rejected: YELLOW, because its senders are wrong', async () => {
    const limits = { startMs, limitMs: 10_000 };
    const { reason } = await loaded.sight('wrong', limits, ({ colour, rule }) => {
      return colour === 'YELLOW' && rule === 'rejects';
    });
    expect(reason).toMatch(/^\d+ of \d+ rejected \(100 %\)$/);
  }, 60_000);

  test('about half of the capacity is offered: no light changes', async () => {
    await offered;
    expect(await loaded.changes('steady', startMs)).toEqual([]);
    const line = (await loaded.lines()).steady!;
    expect(line).toMatchObject({ colour: 'GREEN', expired_5m: 0, lost_percent: 0 });
    expect(line.offered_per_s).toBeGreaterThan(12);
  }, 180_000);

  test('a steady 5 % of failures changes the light twice at most', async () => {
    await offered;
    const changes = await loaded.changes('limping', startMs);
    expect(changes.length).toBeLessThanOrEqual(2);
    expect((await loaded.lines()).limping).toMatchObject({ rule: 'error_rate' });
  }, 180_000);
});

describe('a fleet for each load', () => {
  afterEach(() => loaded?.stop(), 60_000);

  test('80 signals a second for a capacity of 30: RED `waiting` within 8 s, with the cause', async () => {
    loaded = await LoadedFleet.start({ crowded: { standardMs: 200, run: work } });
    const startMs = Date.now();
    const offered = loaded.offer({ type: 'crowded', perSecond: 80, seconds: LONG ? 50 : 12 });
    const { atMs, reason, line } = await loaded.sight('crowded', { startMs, limitMs: 8_000 }, RED('waiting'));
    expect(atMs).toBeLessThanOrEqual(8_000);
    expect(reason).toMatch(/^\d+ wait, oldest [\d.]+ s of 2 s; all 4 slots busy/);
    expect(line).toMatchObject({ waits_for: 'all 4 slots busy', max_wait_ms: 2_000 });
    expect(line.oldest_age_ms).toBeGreaterThan(2_000);
    // A busy machine sends fewer than it should, and never more.
    expect(line.offered_per_s).toBeGreaterThan(40);
    expect(line.offered_per_s).toBeLessThan(95);
    await offered;
  }, 180_000);

  long(
    '200 signals expire behind a type that has all slots: RED `lost` within 3 s of the 20th',
    async () => {
      loaded = await LoadedFleet.start({
        hog: { standardMs: 20_000, run: () => sleep(20_000) },
        starved: { run: work },
      });
      await loaded.burst('hog', 4, 120_000);
      await loaded.sight('hog', { startMs: 0, limitMs: 5_000 }, ({ queue }) => queue?.counts?.running === 4);
      await loaded.burst('starved', 200, 5_000);
      const limits = { startMs: Date.now(), limitMs: 20_000 };
      const twentieth = await loaded.sight('starved', limits, ({ expired_5m = 0 }) => expired_5m >= 20);
      const red = await loaded.sight('starved', limits, RED('lost'));
      expect(red.atMs - twentieth.atMs).toBeLessThanOrEqual(3_000);
      expect(red.reason).toMatch(/^\d+ expired of 200 offered in 5 min/);
      const hog = (await loaded.lines()).hog!;
      expect(hog.colour).toBe('GREEN');
    },
    120_000,
  );

  long(
    'four handlers hang: both lines are RED within 12 s, and the waiting one names who has the slots',
    async () => {
      loaded = await LoadedFleet.start({
        hung: { timeoutMs: 30_000, run: () => new Promise(() => undefined) },
        behind: { run: work },
      });
      const startMs = Date.now();
      await loaded.burst('hung', 4, 120_000);
      await loaded.burst('behind', 10, 120_000);
      const limits = { startMs, limitMs: 14_000 };
      const [hung, behind] = await Promise.all([
        loaded.sight('hung', limits, RED('standstill')),
        loaded.sight('behind', limits, RED('standstill')),
      ]);
      expect(Math.max(hung.atMs, behind.atMs)).toBeLessThanOrEqual(12_000);
      expect(behind.reason).toContain('all 4 slots busy (hung has 4)');
    },
    120_000,
  );
});
