import { type CircuitRecord, circuitState, type Outcome } from '@tps/contracts';
import { after, at, bad, closed, decided, open, T0, trying } from './circuit.fixture';
import { resumedCircuit } from './circuit-transitions';
import { admitForTrial, grantTrial } from './trials';

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
      admitForTrial(open, { id: 'new', failedBefore: false, now: at(2_500) })!,
      3_100,
      { itself: false, other: true },
    ],
    ['after its failed trial', failedAgain, 3_501, { itself: false, other: true }],
    ['when its own pause is over', failedAgain, 5_500, { itself: true, other: true }],
  ])('%s may or may not be the trial', (_, record, ms, { itself, other }) => {
    expect(claim(record, ms, true) !== null).toBe(itself);
    expect(claim(record, ms, false) !== null).toBe(other);
  });

  test('is admitted in a later run, if nothing else is tried, and its worker may run it', () => {
    const admit = (record: CircuitRecord, ms: number): CircuitRecord | null =>
      admitForTrial(record, { id: 'later-run', failedBefore: true, now: at(ms) });
    expect([admit(open, 2_999), admit(granted, 3_100), admit(trying, 3_100)]).toEqual([null, null, null]);
    const admitted = admit(open, 3_000)!;
    expect(admitted).toMatchObject({ epoch: 1, trial: { admitted: 'later-run', failed_before: true } });
    expect(claim(admitted, 3_001, true)).toMatchObject({ trial: { worker_id: 'v', failed_before: true } });
    expect(claim(admitted, 3_001, false)!.trial).not.toHaveProperty('failed_before');
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
    const admitted = admitForTrial(granted, { id: 'new', failedBefore: false, now: at(3_100) })!;
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
    ['a signal that will be retried', stopped, { signal_id: 'a', final: false, status: 'retrying' }],
    ['a signal of a stop whose signals have all ended', open, { signal_id: 'a', status: 'cancelled' }],
    [
      'a signal of a latched line',
      { ...stopped, latch: { fingerprint: 'f', signals: 3 } },
      { signal_id: 'a' },
    ],
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

  test('they count no more when work that never failed succeeds without them, until they end', () => {
    const succeeds = (failedBefore: boolean): CircuitRecord => {
      const claim = { workerId: 'w', timeoutMs: 500, failedBefore, now: at(3_000) };
      return after(grantTrial(stopped, claim)!, { signal_id: 'c', epoch: 2 }, { seq: 12, ms: 3_100 })!;
    };
    const running = succeeds(false);
    expect(running).toMatchObject({ state: 'closed', unfinished: ['a', 'b'] });
    expect(succeeds(true)).not.toHaveProperty('unfinished');
    const ended = after(running, { ...failed, final: true, signal_id: 'a' }, { seq: 13 })!;
    expect(ended).toEqual({ ...running, unfinished: ['b'] });
    const last = after(ended, { ...failed, final: true, signal_id: 'b' }, { seq: 14 })!;
    expect(last).not.toHaveProperty('unfinished');
    expect(last).toMatchObject({ state: 'closed', epoch: running.epoch, log_seq: 12 });
    const again = after(ended, bad, { seq: 15, decision: { ...decided, unfinished: ['x'] } })!;
    expect(again.unfinished).toEqual(['x', 'b']);
    const outage = after(ended, bad, { seq: 15, decision: decided })!;
    expect(outage).not.toHaveProperty('unfinished');
    expect(resumedCircuit(stopped, { reason: 'mended', position: 12, now: at(1) })).not.toHaveProperty(
      'unfinished',
    );
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
