import type { CircuitRecord } from '@tps/contracts';
import { after, at, bad, closed, decided, open, trying } from './circuit.fixture';
import { inLog, newerCircuit, resumedCircuit } from './circuit-transitions';
import type { StopDecision } from './line-monitor';
import { admitForTrial, grantTrial } from './trials';

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
  const admitted = admitForTrial(open, { id: 'id-1', failedBefore: false, now: at(1_000) })!;
  expect(admitted.trial?.admitted).toBe('id-1');
  expect(admitForTrial(admitted, { id: 'id-2', failedBefore: false, now: at(1_001) })).toBeNull();
  expect(admitForTrial(open, { id: 'id-1', failedBefore: false, now: at(999) })).toBeNull();
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
    expect(admitForTrial(latched, { id: 'id', failedBefore: false, now: at(9e6) })).toBeNull();
    expect(after(latched, { epoch: latched.epoch }, { seq: 21 })).toBeNull();
    const resumed = resumedCircuit(latched, { reason: 'mended', position: 30, now: at(9_000) })!;
    expect(resumed).toMatchObject({ state: 'closed', reason: 'mended', log_seq: 30, pause_ms: 0 });
    expect(resumed).not.toHaveProperty('latch');
    expect(resumed).not.toHaveProperty('andon_id');
    expect(resumed.stops.at(-1)?.[1]).toBe(at(9_000).toISOString());
    expect(resumedCircuit(resumed, { reason: 'again', position: 31, now: at(9_001) })).toBeNull();
  }
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

test('the position of a circuit in another log says nothing about this one', () => {
  const log = { created: 'tuesday', lastSeq: 4 };
  expect(inLog({ ...open, log: 'tuesday', log_seq: 10 }, log).log_seq).toBe(10);
  expect(inLog({ ...open, log: 'monday', log_seq: 3 }, log)).toEqual({ ...open, log: 'tuesday', log_seq: 0 });
  // Records of the version before do not say which log they are of.
  expect(inLog({ ...open, log_seq: 4 }, log).log_seq).toBe(4);
  expect(inLog({ ...open, log_seq: 5 }, log).log_seq).toBe(0);
});
