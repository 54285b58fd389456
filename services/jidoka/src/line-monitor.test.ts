import type { Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { gradeOf, LineMonitor, type MonitorSettings, type StopDecision } from './line-monitor';

const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const open: LineMonitor[] = [];
afterEach(() => open.splice(0).forEach((monitor) => monitor.close()));

/** Feeds outcomes to a monitor, by default one second apart, and returns its decision on each. */
function watch(given: Partial<MonitorSettings> = {}) {
  const monitor = new LineMonitor({ threshold: 5, errorPercent: 50, slowMs: 0, ...given });
  open.push(monitor);
  let now = T0;
  return (outcome: Partial<Outcome> | 'good', afterMs = 1_000): StopDecision | null => {
    now += afterMs;
    return monitor.take(sampleOutcome(outcome === 'good' ? {} : outcome), now);
  };
}
const transient: Partial<Outcome> = { status: 'retrying', error_class: 'transient', message: 'no link' };
const defect: Partial<Outcome> = {
  status: 'failed',
  error_class: 'defect',
  fingerprint: 'f',
  message: 'x.y',
};

test.each([
  ['succeeded', undefined, 'good'],
  ['failed', 'transient', 'bad'],
  ['retrying', 'transient', 'bad'],
  ['failed', 'defect', 'bad'],
  ['failed', 'capacity', 'neutral'],
  ['expired', 'capacity', 'neutral'],
  ['rejected', 'rejected', 'neutral'],
  ['cancelled', undefined, 'neutral'],
  ['returned', undefined, 'neutral'],
] as const)('%s (%s) is %s for the line', (status, error_class, grade) => {
  expect(gradeOf(sampleOutcome({ status, ...(error_class ? { error_class } : {}) }))).toBe(grade);
});

test('the threshold of consecutive failures stops the line; a good outcome resets the count, a neutral one does not', () => {
  const see = watch({ threshold: 3 });
  const seen = [
    transient,
    transient,
    'good' as const,
    transient,
    { status: 'cancelled' as const },
    transient,
  ];
  expect(seen.map((outcome) => see(outcome))).toEqual([null, null, null, null, null, null]);
  expect(see(transient)?.reason).toBe('3 failed attempts in a row, last: no link');
});

describe('failures in a row', () => {
  const of = (signal_id: string, more: Partial<Outcome> = {}): Partial<Outcome> => ({
    ...transient,
    signal_id,
    ...more,
  });
  const failed = { status: 'failed', final: true } as const;

  test.each([
    ['one signal, however many attempts it has', ['a']],
    ['one signal in several runs', ['a', { signal_id: 'a', run: 1 }, { signal_id: 'a', run: 2 }]],
    ['two signals', ['a', 'b']],
  ] as const)('%s never stops the line', (_, signals) => {
    const see = watch();
    for (let n = 0; n < 60; n += 1) {
      const signal = signals[n % signals.length]!;
      expect(see(typeof signal === 'string' ? of(signal) : { ...transient, ...signal }, 100)).toBeNull();
    }
  });

  test.each([
    [5, 3, 5],
    [8, 3, 8],
    [3, 3, 3],
    [2, 2, 2],
    [1, 1, 1],
  ])('with a threshold of %i, %i signals stop the line at %i attempts', (threshold, signals, attempts) => {
    const see = watch({ threshold });
    for (let n = 1; n < attempts; n += 1) expect(see(of(`s${n % signals}`))).toBeNull();
    expect(see(of(`s${attempts % signals}`))?.reason).toMatch(`${attempts} failed attempts in a row`);
  });

  test('signals that stopped the line before count no more; a defect of theirs does', () => {
    const monitor = new LineMonitor({ threshold: 3, errorPercent: 50, slowMs: 0 });
    open.push(monitor);
    const see = (outcome: Partial<Outcome>, cleared: boolean): StopDecision | null =>
      monitor.take(sampleOutcome(outcome), T0, { cleared });
    for (let n = 0; n < 60; n += 1) expect(see(transient, true)).toBeNull();
    expect([see(transient, false), see(transient, false), see(transient, true)]).toEqual([null, null, null]);
    expect(see(transient, false)).toHaveProperty('reason');
    expect([see(defect, true), see(defect, true)].every((decision) => !decision?.latch)).toBe(true);
    expect(see(defect, true)).toHaveProperty('latch');
  });

  test('the third signal stops the line when two others used up the threshold before', () => {
    const see = watch();
    for (let n = 0; n < 10; n += 1) expect(see(of(n % 2 ? 'a' : 'b'))).toBeNull();
    expect(see(of('c'))?.reason).toMatch('11 failed attempts in a row');
  });

  test('failures of one worker do not stop a line that another worker serves as well', () => {
    const see = watch();
    expect(see({ worker_id: 'w2' })).toBeNull();
    for (let n = 0; n < 15; n += 1) expect(see({ ...transient, worker_id: 'w1' })).toBeNull();
    expect(see({ ...transient, worker_id: 'w2' })?.reason).toMatch('16 failed attempts in a row');
  });

  test('a worker that ended nothing for a minute does not serve the line any more', () => {
    const see = watch();
    expect(see({ status: 'rejected', error_class: 'rejected', worker_id: 'w2' })).toBeNull();
    for (let n = 0; n < 9; n += 1) expect(see({ ...transient, worker_id: 'w1' }, 6_000)).toBeNull();
    expect(see({ ...transient, worker_id: 'w1' }, 6_000)).toHaveProperty('reason');
  });

  test('the decision lists the signals that failed and have attempts left', () => {
    const see = watch();
    for (const outcome of [of('a'), of('b'), of('c', failed), of('a')]) expect(see(outcome)).toBeNull();
    expect(see({ signal_id: 'b', status: 'cancelled', final: true })).toBeNull();
    expect(see(of('d'))?.unfinished).toEqual(['a', 'd']);
  });

  test('the decision lists none when all have ended, or when too many failed to be the cause', () => {
    const ended = watch();
    for (const id of ['a', 'b', 'c', 'd']) expect(ended(of(id, failed))).toBeNull();
    expect(ended(of('e', failed))).not.toHaveProperty('unfinished');
    const many = watch({ threshold: 11 });
    for (let n = 1; n < 11; n += 1) expect(many(of(`s${n}`))).toBeNull();
    expect(many(of('s11'))).not.toHaveProperty('unfinished');
  });
});

describe('failures that name a dependency', () => {
  const of = (dependency: string, more: Partial<Outcome> = {}): Partial<Outcome> => ({
    ...transient,
    dependency,
    ...more,
  });

  test('one dependency that keeps failing never stops the line, whatever the threshold', () => {
    for (const threshold of [1, 3]) {
      const see = watch({ threshold });
      for (let n = 0; n < 100; n += 1) expect(see(of('a:80'), 10)).toBeNull();
    }
  });

  test('failures of two dependencies do not count in the window while other signals succeed', () => {
    const see = watch({ threshold: 3 });
    for (let n = 0; n < 60; n += 1) {
      expect([see(of('a:80'), 10), see(of('b:80'), 10), n % 10 ? null : see('good', 10)]).toEqual([
        null,
        null,
        null,
      ]);
    }
  });

  test('the threshold of dependencies without a success between stops the line and is named in the reason', () => {
    const see = watch({ threshold: 3 });
    for (const host of ['a:80', 'b:80']) expect(see(of(host))).toBeNull();
    expect(see('good')).toBeNull();
    for (const host of ['b:80', 'a:80', 'b:80']) expect(see(of(host))).toBeNull();
    expect(see(of('c:80'))).toEqual({
      reason: '3 dependencies failed in a row (b:80, a:80, c:80), last: no link',
      dependencies: ['b:80', 'a:80', 'c:80'],
    });
  });

  test('they neither hide failures of the line itself nor add to them', () => {
    const see = watch({ threshold: 3 });
    expect(see(transient)).toBeNull();
    expect(see(of('a:80'))).toBeNull();
    expect(see(transient)).toBeNull();
    expect(see(of('b:80'))).toBeNull();
    expect(see(transient)?.reason).toMatch('3 failed attempts in a row');
  });
});

test('a share of failures above the limit stops the line once the window has 20 attempts', () => {
  const see = watch();
  for (let i = 0; i < 9; i += 1) expect([see(transient, 10), see('good', 10)]).toEqual([null, null]);
  expect(see(transient, 10)).toBeNull();
  expect(see(transient, 10)?.reason).toBe('55 % of 20 attempts within 30 s failed');
});

test('attempts of two signals never make the share of the window, and their share is forgotten with the window', () => {
  const see = watch({ threshold: 40 });
  const failing = (signal_id: string): StopDecision | null => see({ ...transient, signal_id }, 10);
  const twoFail = (): void => {
    for (let n = 0; n < 30; n += 1) expect(failing(n % 2 ? 'a' : 'b')).toBeNull();
    expect(see('good', 10)).toBeNull();
    for (let n = 0; n < 30; n += 1) expect(failing(n % 2 ? 'a' : 'b')).toBeNull();
  };
  twoFail();
  expect(see('good', 60_000)).toBeNull();
  for (let n = 0; n < 100; n += 1) expect(see('good', 10)).toBeNull();
  for (const id of ['x', 'y', 'z']) expect(failing(id)).toBeNull();
  expect(see('good', 60_000)).toBeNull();
  twoFail();
  expect(failing('c')).toEqual({
    reason: '97 % of 63 attempts within 30 s failed',
    unfinished: ['b', 'a', 'c'],
  });
});

test('the window follows the time of the log', () => {
  const see = watch({ threshold: 100 });
  for (let i = 0; i < 40; i += 1) expect(see(transient, 1)).toBeNull();
  for (let i = 0; i < 40; i += 1) expect(see('good', 1)).toBeNull();
  for (let i = 0; i < 19; i += 1) expect(see(transient, i === 0 ? 40_000 : 1)).toBeNull();
});

test('slow attempts count as bad in the window, and only there', () => {
  const see = watch({ threshold: 5, slowMs: 200 });
  for (let i = 0; i < 19; i += 1) expect(see({ process_ms: 201 }, 10)).toBeNull();
  const reason = '100 % of 20 attempts within 30 s failed or took longer than 200 ms';
  expect(see({ process_ms: 201 }, 10)).toEqual({ reason });
  const fast = watch({ slowMs: 200 });
  for (let i = 0; i < 50; i += 1) expect(fast({ process_ms: 200 }, 10)).toBeNull();
});

test('the same defect in the threshold of distinct signals latches, even with successes between', () => {
  const see = watch({ threshold: 3, errorPercent: 90 });
  for (let i = 0; i < 5; i += 1) {
    expect(see({ ...defect, signal_id: 'the same' })).toBeNull();
    expect(see('good')).toBeNull();
  }
  expect(see({ ...defect, fingerprint: 'other' })).toBeNull();
  expect(see('good')).toBeNull();
  expect(see(defect)).toBeNull();
  expect(see('good')).toBeNull();
  expect(see(defect)).toEqual({
    reason: 'the same defect in 3 signals: x.y',
    latch: { fingerprint: 'f', signals: 3 },
  });
});

test('a defect is forgotten after five minutes', () => {
  const see = watch({ threshold: 2, errorPercent: 99 });
  expect(see(defect)).toBeNull();
  expect(see('good', 300_000)).toBeNull();
  expect(see(defect, 0)).toBeNull();
  expect(see('good', 299_000)).toBeNull();
  expect(see(defect, 0)).toHaveProperty('latch');
});

test('a window that was seen only in part counts attempts but stops nothing until it is whole', () => {
  const monitor = new LineMonitor({ threshold: 5, errorPercent: 50, slowMs: 0 });
  open.push(monitor);
  let now = T0;
  const see = (outcome: Partial<Outcome>, whole: boolean): StopDecision | null =>
    monitor.take(sampleOutcome(outcome), (now += 100), { whole });
  for (let n = 0; n < 24; n += 1) {
    expect(see(n % 4 === 3 ? {} : transient, false)).toBeNull();
  }
  expect(see({}, true)).toBeNull();
  expect(see(transient, true)?.reason).toBe('73 % of 26 attempts within 30 s failed');
});
