import { type CircuitRecord, circuitState, type Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import {
  admitForTrial,
  afterOutcome,
  closedCircuit,
  grantTrial,
  inLog,
  newerCircuit,
  resumedCircuit,
} from './circuit-transitions';
import type { StopDecision } from './line-monitor';

const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const settings = { threshold: 3, errorPercent: 50, slowMs: 0, pauseMs: 1_000 };
const decided: StopDecision = { reason: '3 failed attempts in a row' };
const at = (ms: number): Date => new Date(T0 + ms);
const bad: Partial<Outcome> = { status: 'retrying', error_class: 'transient' };

function after(
  record: CircuitRecord,
  given: Partial<Outcome>,
  { seq = 10, ms = 0, decision = null as StopDecision | null, andonId = 'stop-1' } = {},
): CircuitRecord | null {
  const step = { outcome: sampleOutcome(given), seq, at: at(ms), decision, andonId };
  return afterOutcome(record, step, settings);
}
const closed = closedCircuit('demo', at(0));
const open = after(closed, bad, { decision: decided })!;
const trying = grantTrial(open, { workerId: 'w', timeoutMs: 500, failedBefore: false, now: at(1_000) })!;

test('a circuit opens when the monitor decides so, and not before', () => {
  expect(after(closed, bad)).toBeNull();
  expect(open).toMatchObject({
    state: 'open',
    epoch: 1,
    pause_ms: 1_000,
    until: at(1_000).toISOString(),
    log_seq: 10,
  });
  expect(open.stops).toEqual([[at(0).toISOString()]]);
});

test('an outcome that the circuit has accounted for changes nothing when the log is read again', () => {
  expect(after({ ...closed, log_seq: 10 }, bad, { seq: 10, decision: decided })).toBeNull();
  expect(after(trying, { epoch: trying.epoch }, { seq: 10 })).toBeNull();
});

test('a trial is granted after the pause, one at a time, and again after its deadline', () => {
  const ask = (record: CircuitRecord, ms: number): CircuitRecord | null =>
    grantTrial(record, { workerId: 'v', timeoutMs: 500, failedBefore: false, now: at(ms) });
  expect(ask(open, 999)).toBeNull();
  expect(ask(closed, 5_000)).toBeNull();
  expect(trying).toMatchObject({ epoch: 2, trial: { worker_id: 'w' } });
  expect(ask(trying, 1_100)).toBeNull();
  expect(ask(trying, 11_500)).toMatchObject({ epoch: 3, trial: { worker_id: 'v' } });
});

test('one new signal is admitted for the trial, and the worker that gets it may run it', () => {
  const admitted = admitForTrial(open, 'id-1', at(1_000))!;
  expect(admitted.trial?.admitted).toBe('id-1');
  expect(admitForTrial(admitted, 'id-2', at(1_001))).toBeNull();
  expect(admitForTrial(open, 'id-1', at(999))).toBeNull();
  expect(
    grantTrial(admitted, { workerId: 'w', timeoutMs: 500, failedBefore: false, now: at(1_002) }),
  ).not.toBeNull();
});

test('only the outcome of the current epoch decides', () => {
  expect(after(trying, {}, { seq: 11 })).toBeNull();
  expect(after(trying, { epoch: trying.epoch - 1 }, { seq: 11 })).toBeNull();
  const running = after(trying, { epoch: trying.epoch }, { seq: 11, ms: 1_200 });
  expect(running).toMatchObject({ state: 'closed', epoch: 3, pause_ms: 0 });
  expect(running?.stops).toEqual([[at(0).toISOString(), at(1_200).toISOString()]]);
  expect(running).not.toHaveProperty('trial');
});

test('each failed trial doubles the pause, up to eight times the first', () => {
  let record = trying;
  const pauses: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    record = after({ ...record, log_seq: 0 }, { ...bad, epoch: record.epoch })!;
    pauses.push(record.pause_ms);
  }
  expect(pauses).toEqual([2_000, 4_000, 8_000, 8_000, 8_000]);
  expect(record.stops).toHaveLength(1);
  expect(record.since).toBe(open.since);
});

test('a trial with a neutral outcome leaves the circuit half-open for the next one', () => {
  const record = after(trying, { status: 'rejected', error_class: 'rejected', epoch: 2 }, { seq: 11 })!;
  expect(record).toMatchObject({ state: 'open', epoch: 2, log_seq: 11 });
  expect(
    grantTrial(record, { workerId: 'v', timeoutMs: 500, failedBefore: false, now: at(1_300) }),
  ).not.toBeNull();
});

test('a trial that fails at a dependency reopens only a circuit that opened because of dependencies', () => {
  const hosts: StopDecision = { reason: 'hosts', dependencies: ['a:80', 'b:80'] };
  const failed = { ...bad, dependency: 'c:80', epoch: 2 };
  expect(after(trying, failed, { seq: 11 })).toMatchObject({ epoch: 2, pause_ms: 1_000, log_seq: 11 });
  const stopped = after(closed, bad, { decision: hosts })!;
  expect(stopped).toMatchObject({ state: 'open', dependencies: ['a:80', 'b:80'] });
  const trial = grantTrial(stopped, { workerId: 'w', timeoutMs: 500, failedBefore: false, now: at(1_000) })!;
  const again = after(trial, failed, { seq: 11 })!;
  expect(again).toMatchObject({ epoch: 3, pause_ms: 2_000, dependencies: ['a:80', 'b:80'] });
  const next = grantTrial(again, { workerId: 'w', timeoutMs: 500, failedBefore: false, now: at(9_000) })!;
  const running = after(next, { epoch: next.epoch }, { seq: 12 });
  expect(running?.state).toBe('closed');
  expect(running).not.toHaveProperty('dependencies');
});

test('a latched circuit ignores outcomes and grants no trial; a person closes it, and earlier outcomes count no more', () => {
  const decision: StopDecision = { reason: 'same', latch: { fingerprint: 'f', signals: 3 } };
  for (const before of [closed, open, trying]) {
    const latched = after(before, bad, { seq: 20, ms: 500, decision })!;
    expect(latched).toMatchObject({ state: 'open', reason: 'same', latch: decision.latch });
    expect(latched).not.toHaveProperty('until');
    expect(
      grantTrial(latched, { workerId: 'v', timeoutMs: 500, failedBefore: false, now: at(9e6) }),
    ).toBeNull();
    expect(admitForTrial(latched, 'id', at(9e6))).toBeNull();
    expect(after(latched, { epoch: latched.epoch }, { seq: 21 })).toBeNull();
    const resumed = resumedCircuit(latched, { reason: 'mended', position: 30, now: at(9_000) })!;
    expect(resumed).toMatchObject({ state: 'closed', reason: 'mended', log_seq: 30, pause_ms: 0 });
    expect(resumed).not.toHaveProperty('latch');
    expect(resumed).not.toHaveProperty('andon_id');
    expect(resumed.stops.at(-1)?.[1]).toBe(at(9_000).toISOString());
    expect(resumedCircuit(resumed, { reason: 'again', position: 31, now: at(9_001) })).toBeNull();
  }
});

describe('a signal that failed before', () => {
  const claim = (record: CircuitRecord, ms: number, failedBefore: boolean): CircuitRecord | null =>
    grantTrial(record, { workerId: 'v', timeoutMs: 500, failedBefore, now: at(ms) });
  const granted = claim(open, 3_000, true)!;
  const failedAgain = after(granted, { ...bad, epoch: 2 }, { seq: 11, ms: 3_500 })!;

  test.each([
    ['right after the pause', open, 2_999, { itself: false, other: true }],
    ['two seconds after the pause', open, 3_000, { itself: true, other: true }],
    ['while another that failed before is tried', granted, 3_100, { itself: false, other: true }],
    ['while one that never failed is tried', trying, 3_100, { itself: false, other: false }],
    [
      'while a new signal is on its way',
      admitForTrial(open, 'new', at(2_500))!,
      3_100,
      { itself: false, other: true },
    ],
    ['after its failed trial', failedAgain, 3_501, { itself: false, other: true }],
    ['when its own pause is over', failedAgain, 5_500, { itself: true, other: true }],
  ])('%s may or may not be the trial', (_, record, ms, { itself, other }) => {
    expect(claim(record, ms, true) !== null).toBe(itself);
    expect(claim(record, ms, false) !== null).toBe(other);
  });

  test('holds back only its like when its trial fails, each time for twice as long', () => {
    expect(granted.trial).toMatchObject({ failed_before: true });
    expect(failedAgain).toMatchObject({
      epoch: 3,
      pause_ms: 1_000,
      until: open.until,
      failed_before: { pause_ms: 2_000, until: at(5_500).toISOString() },
    });
    expect(failedAgain).not.toHaveProperty('trial');
    expect(circuitState(failedAgain, T0 + 3_501)).toBe('HalfOpen');
    const pauses: number[] = [];
    let record = failedAgain;
    for (let i = 0; i < 4; i += 1) {
      record = claim(record, 100_000 * (i + 1), true)!;
      record = after(record, { ...bad, epoch: record.epoch }, { seq: 12 + i, ms: 100_000 * (i + 1) })!;
      pauses.push(record.failed_before!.pause_ms);
    }
    expect(pauses).toEqual([4_000, 8_000, 8_000, 8_000]);
    expect(record.pause_ms).toBe(1_000);
  });

  test('decides nothing any more once another signal has taken its trial', () => {
    const admitted = admitForTrial(granted, 'new', at(3_100))!;
    expect(admitted).toMatchObject({ epoch: 3, trial: { admitted: 'new' } });
    expect(after(admitted, { ...bad, epoch: 2 }, { seq: 11 })).toBeNull();
    expect(after(admitted, { epoch: 2 }, { seq: 11 })).toBeNull();
    const taken = claim(granted, 3_100, false)!;
    expect(after(taken, { ...bad, epoch: 2 }, { seq: 11 })).toBeNull();
    const closedAgain = after(taken, { epoch: 3 }, { seq: 12, ms: 3_200 })!;
    expect(closedAgain.state).toBe('closed');
    expect(after(closedAgain, { ...bad, epoch: 2 }, { seq: 13 })).toBeNull();
  });

  test('keeps its own pause while another failed trial doubles that of the line, until the line runs', () => {
    const other = claim(failedAgain, 3_600, false)!;
    const stopped = after(other, { ...bad, epoch: other.epoch }, { seq: 12, ms: 3_700 })!;
    expect(stopped).toMatchObject({ pause_ms: 2_000, failed_before: failedAgain.failed_before });
    const next = claim(stopped, 5_700, false)!;
    const running = after(next, { epoch: next.epoch }, { seq: 13, ms: 5_800 })!;
    expect(running.state).toBe('closed');
    expect(running).not.toHaveProperty('failed_before');
  });
});

describe('the end of the signals that opened the circuit', () => {
  const stopped = after(closed, bad, { decision: { ...decided, unfinished: ['a', 'b'] } })!;
  const end = (record: CircuitRecord, given: Partial<Outcome>, seq = 11): CircuitRecord | null =>
    after(record, { final: true, ...given }, { seq, ms: 300 });
  const one = end(stopped, { signal_id: 'b', status: 'cancelled' })!;
  const failed = { status: 'failed', error_class: 'transient' } as const;

  test('a trial may run at once when the last of them is cancelled', () => {
    expect(one).toMatchObject({ unfinished: ['a'], until: stopped.until });
    const none = end(one, { signal_id: 'a', status: 'cancelled' })!;
    expect(none).toMatchObject({ state: 'open', until: at(300).toISOString(), epoch: 1, pause_ms: 1_000 });
    expect(none).not.toHaveProperty('unfinished');
    expect(circuitState(none, T0 + 300)).toBe('HalfOpen');
    expect(end(none, { signal_id: 'a', status: 'cancelled' })).toBeNull();
  });

  test.each([
    ['cancelled', { status: 'cancelled' }, true],
    ['expired', { status: 'expired', error_class: 'capacity' }, true],
    ['failed for good as a trial', { ...failed, epoch: 0 }, true],
    ['failed for good in an attempt from before the stop', failed, false],
    ['succeeded in an attempt from before the stop', { status: 'succeeded' }, false],
  ] as const)('the last one %s', (_, given, startsAtOnce) => {
    const next = end(one, { signal_id: 'a', ...given })!;
    expect(next).not.toHaveProperty('unfinished');
    expect(next.until).toBe(startsAtOnce ? at(300).toISOString() : stopped.until);
  });

  test.each([
    ['another signal', stopped, { signal_id: 'c', status: 'cancelled' }],
    ['one that will be retried', stopped, { signal_id: 'a', final: false, status: 'retrying' }],
    ['one of a stop whose signals have all ended', open, { signal_id: 'a', status: 'cancelled' }],
    ['one of a latched line', { ...stopped, latch: { fingerprint: 'f', signals: 3 } }, { signal_id: 'a' }],
    ['one of a line that runs', { ...closed, unfinished: ['a'] }, { signal_id: 'a', status: 'cancelled' }],
  ] as const)('%s changes nothing', (_, record, given) => {
    expect(end(record as CircuitRecord, given)).toBeNull();
  });

  test('the signal of a failed trial joins them, unless that makes them too many', () => {
    const trialOf = (record: CircuitRecord): CircuitRecord =>
      grantTrial(record, { workerId: 'w', timeoutMs: 500, failedBefore: false, now: at(1_000) })!;
    const fails = (record: CircuitRecord, given: Partial<Outcome> = {}): CircuitRecord =>
      after(trialOf(record), { ...bad, signal_id: 'c', epoch: 2, ...given }, { seq: 12, ms: 1_100 })!;
    expect(fails(stopped, { final: false }).unfinished).toEqual(['a', 'b', 'c']);
    expect(fails(stopped, { final: true, status: 'failed' }).unfinished).toEqual(['a', 'b']);
    const ten = Array.from({ length: 10 }, (_, n) => `s${n}`);
    expect(fails({ ...stopped, unfinished: ten }, { final: false })).not.toHaveProperty('unfinished');
    expect(fails(open, { final: false })).not.toHaveProperty('unfinished');
  });

  test('a trial that ends the last one leaves the line half-open for others', () => {
    const suspect = grantTrial(one, { workerId: 'w', timeoutMs: 500, failedBefore: true, now: at(3_000) })!;
    const ended = after(
      suspect,
      { ...failed, final: true, signal_id: 'a', epoch: 2 },
      { seq: 12, ms: 3_100 },
    )!;
    expect(ended).toMatchObject({ state: 'open', until: stopped.until, failed_before: { pause_ms: 2_000 } });
    expect(ended).not.toHaveProperty('unfinished');
  });
});

test('a stop keeps one id until the line runs again; the next stop gets another', () => {
  expect(open.andon_id).toBe('stop-1');
  const reopened = after(trying, { ...bad, epoch: trying.epoch }, { seq: 11, andonId: 'stop-2' })!;
  expect(reopened.andon_id).toBe('stop-1');
  const running = after(trying, { epoch: trying.epoch }, { seq: 11 })!;
  expect(after(running, bad, { seq: 12, decision: decided, andonId: 'stop-2' })?.andon_id).toBe('stop-2');
});

test.each([
  ['the bucket has no record', undefined, true],
  ['the bucket has an older record', closed, true],
  ['the bucket has the same record', open, false],
  ['the bucket has a newer record', trying, false],
] as const)('%s: the remembered circuit is written again: %s', (_, found, isWritten) => {
  expect(newerCircuit(open, found)).toBe(isWritten ? open : null);
});

test('the stops in a record are limited to the latest 50', () => {
  const stops = Array.from({ length: 50 }, (_, n): [string, string] => [
    at(n).toISOString(),
    at(n).toISOString(),
  ]);
  const reopened = after({ ...closed, stops }, bad, { ms: 60, decision: decided })!;
  expect(reopened.stops).toHaveLength(50);
  expect(reopened.stops.at(-1)).toEqual([at(60).toISOString()]);
});

test('what a circuit accounted for in another log says nothing about this one', () => {
  const log = { created: 'tuesday', lastSeq: 4 };
  expect(inLog({ ...open, log: 'tuesday', log_seq: 10 }, log).log_seq).toBe(10);
  expect(inLog({ ...open, log: 'monday', log_seq: 3 }, log)).toEqual({ ...open, log: 'tuesday', log_seq: 0 });
  // Records of the version before do not say which log they are of.
  expect(inLog({ ...open, log_seq: 4 }, log).log_seq).toBe(4);
  expect(inLog({ ...open, log_seq: 5 }, log).log_seq).toBe(0);
});
