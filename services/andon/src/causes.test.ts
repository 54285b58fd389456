import type { CircuitRecord, StopRecord } from '@tps/contracts';
import { sampleCall } from '@tps/testkit';
import { emptyStopRecord } from './call-transitions';
import { type CallSettings, causeOf, circuitMark, isOver, type LineState } from './causes';

const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const at = (ms: number): string => new Date(T0 + ms).toISOString();
const settings = (ms: number): CallSettings => ({
  ...{ nowMs: T0 + ms, respondMs: 300_000, callAfterMs: 60_000, spareId: 'spare' },
});
const circuit = (given: Partial<CircuitRecord> = {}): CircuitRecord => ({
  ...{ v: 1, signal_type: 'demo', state: 'open', epoch: 1, reason: 'no link', since: at(0) },
  ...{ until: at(30_000), pause_ms: 30_000, log_seq: 1, stops: [[at(0)]], andon_id: 'c' },
  ...given,
});
const green = { colour: 'GREEN', rule: 'within_limits', reason: 'fine', sinceMs: T0, better: 0 } as const;
const red = { ...green, colour: 'RED', rule: 'p99', reason: 'slow', trace_id: 'slowest' } as const;
const state = (given: Partial<LineState>): LineState => ({
  ...{ record: undefined, circuit: undefined, light: green, id: 'c', recordedColour: 'GREEN' },
  ...given,
});
const resumedAt = (ms: number): StopRecord => {
  const resolved = { id: 'c', owner: 'bob', countermeasure: 'none', resumed_at: at(ms) };
  return { ...emptyStopRecord('demo'), resolved: [resolved] };
};
const called: StopRecord = { ...emptyStopRecord('demo'), call: sampleCall() };

test.each<[what: string, given: Partial<LineState>, dueMs: number | null, call: object | null]>([
  ['all is well', {}, null, null],
  ['an open circuit', { circuit: circuit() }, 60_000, { id: 'c', rule: 'circuit', automatic: true }],
  [
    'a half-open circuit counts from its opening',
    { circuit: circuit({ until: at(1) }) },
    60_000,
    { id: 'c' },
  ],
  ['a RED light', { light: red }, 60_000, { id: 'c', rule: 'p99', automatic: true, trace_id: 'slowest' }],
  ['a YELLOW light', { light: { ...red, colour: 'YELLOW' } }, null, null],
  ['a line with an open call', { light: red, circuit: circuit(), record: called }, null, null],
  // The figures cover five minutes: the line may be well already.
  ['a light that a person resumed', { light: red, record: resumedAt(9_000) }, 369_000, { id: 'spare' }],
  [
    'a circuit that opened after the line was resumed',
    { circuit: circuit({ andon_id: 'd' }), id: 'd', record: resumedAt(-1) },
    60_000,
    { id: 'd' },
  ],
])('%s: when andon calls by itself', (_, given, dueMs, call) => {
  if (dueMs === null) return expect(causeOf(state(given), settings(1e9))).toBeNull();
  expect(causeOf(state(given), settings(dueMs - 1))).toBeNull();
  expect(causeOf(state(given), settings(dueMs))).toMatchObject({ mode: 'call', by: 'andon', ...call });
});

test('the reason says for how long the cause has lasted', () => {
  const both = state({ light: { ...red, sinceMs: T0 - 30_000 }, circuit: circuit() });
  expect(causeOf(both, settings(40_000))?.reason).toBe('the circuit has been open for 40 s: no link');
  expect(causeOf(state({ light: red }), settings(61_000))?.reason).toBe('RED for 61 s: slow');
});

test('no automatic call if the variable is 0; a latch still stops the line', () => {
  const never = { ...settings(1e9), callAfterMs: 0 };
  expect(causeOf(state({ light: red, circuit: circuit() }), never)).toBeNull();
  const latch = circuit({ latch: { fingerprint: 'f', signals: 3 } });
  expect(causeOf(state({ circuit: latch }), never)).toMatchObject({
    ...{ rule: 'defect', mode: 'stop', by: 'jidoka', fingerprint: 'f', circuit: 'latched' },
  });
});

test('an automatic call ends when the circuit is closed, the light is not RED and the history says so', () => {
  const record: StopRecord = { ...emptyStopRecord('demo'), call: sampleCall({ automatic: true }) };
  expect(isOver(state({ record }))).toBe(true);
  expect(isOver(state({ record, light: red }))).toBe(false);
  expect(isOver(state({ record, circuit: circuit() }))).toBe(false);
  expect(isOver(state({ record, recordedColour: 'RED' }))).toBe(false);
  const owned = sampleCall({ automatic: true, acknowledged_at: at(0) });
  expect(isOver(state({ record: { ...record, call: owned } }))).toBe(false);
  expect(isOver(state({ record: called }))).toBe(false);
});

test('the mark of a circuit changes with each pause, and with nothing else', () => {
  expect(circuitMark(undefined)).toBeUndefined();
  expect(circuitMark(circuit({ state: 'closed' }))).toBeUndefined();
  const trial = { worker_id: 'w', deadline: at(9) };
  expect(circuitMark(circuit({ epoch: 7, trial }))).toBe(circuitMark(circuit()));
  expect(circuitMark(circuit({ until: at(90_000) }))).not.toBe(circuitMark(circuit()));
  const failed_before = { until: at(95_000), pause_ms: 60_000 };
  expect(circuitMark(circuit({ failed_before }))).toBe(at(95_000));
  expect(circuitMark(circuit({ latch: { fingerprint: 'f', signals: 3 } }))).toBe('latched');
});
