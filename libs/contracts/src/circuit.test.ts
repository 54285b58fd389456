import type { AndonCall, Stop, StopRecord } from './andon';
import { type CircuitRecord, pausedMs, isOpen, isStopped, lineState, stoppedSince } from './circuit';

const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const at = (ms: number): string => new Date(T0 + ms).toISOString();
const circuit = (given: Partial<CircuitRecord>): CircuitRecord => ({
  ...{ v: 1, signal_type: 'demo', state: 'closed', epoch: 1, reason: '', since: at(0), pause_ms: 0 },
  ...{ log_seq: 0, stops: [] },
  ...given,
});
const call = (given: Partial<AndonCall>): AndonCall => ({
  ...{ id: 'c', line: 'demo', mode: 'call', rule: 'cord', reason: '', by: 'a', intake: 'refuse' },
  ...{ opened_at: at(0), recurrences: 0 },
  ...given,
});
const stop = (given: Partial<StopRecord>): StopRecord => ({
  ...{ v: 1, line: 'demo', stops: [], resolved: [], unlogged: [] },
  ...given,
});

test('a line runs only if its circuit and the people both allow it', () => {
  const open = circuit({ state: 'open', until: at(1_000) });
  const pulled = stop({ call: call({ mode: 'stop' }) });
  expect(lineState(undefined, undefined, T0)).toBe('Closed');
  expect([isOpen(circuit({})), isOpen(open)]).toEqual([false, true]);
  expect(lineState(open, undefined, T0)).toBe('Open');
  expect(lineState(open, undefined, T0 + 1_000)).toBe('HalfOpen');
  expect(lineState(open, pulled, T0 + 1_000)).toBe('Open');
  expect(lineState(circuit({}), pulled, T0)).toBe('Open');
  expect(lineState(circuit({}), stop({ call: call({}) }), T0)).toBe('Closed');
  const latched = circuit({ state: 'open', until: at(1_000), latch: { fingerprint: 'f', signals: 3 } });
  expect(lineState(latched, undefined, T0 + 60_000)).toBe('Open');
});

test('a call that nobody answered is a stop by the clock alone', () => {
  const record = stop({ call: call({ respond_by: at(1_000) }) });
  expect(isStopped(record, T0 + 999)).toBe(false);
  expect(isStopped(record, T0 + 1_000)).toBe(true);
  expect(stoppedSince(record, T0 + 3_000)).toBe(at(1_000));
  expect(pausedMs(undefined, record, T0, T0 + 3_000)).toBe(2_000);
  const answered = stop({ call: call({ respond_by: at(1_000), acknowledged_at: at(500) }) });
  expect(isStopped(answered, T0 + 3_000)).toBe(false);
  expect(pausedMs(undefined, answered, T0, T0 + 3_000)).toBe(0);
});

test.each<[what: string, circuits: Stop[], people: Stop[], paused: number]>([
  ['no stop', [], [], 0],
  ['a stop that is over', [[at(100), at(300)]], [], 200],
  ['a stop that goes on', [], [[at(600)]], 400],
  ['a stop before it was there', [[at(-500), at(-100)]], [], 0],
  ['a stop that began before', [[at(-500), at(100)]], [], 100],
  ['two stops apart', [[at(100), at(200)]], [[at(500), at(600)]], 200],
  ['two stops that overlap count once', [[at(100), at(500)]], [[at(300), at(700)]], 600],
  ['one within the other', [[at(100), at(900)]], [[at(300), at(400)]], 800],
])('a signal is paused by %s', (_, stops, people, paused) => {
  expect(pausedMs(circuit({ stops }), stop({ stops: people }), T0, T0 + 1_000)).toBe(paused);
});
