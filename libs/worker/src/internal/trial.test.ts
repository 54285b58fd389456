import { type CircuitRecord, type Outcome, WIRE_VERSION } from '@tps/contracts';
import type { InFlightSignal } from './in-flight-signal';
import { hasFailedBefore, notTriedMs } from './trial';

const NOW = Date.parse('2026-01-25T12:00:00.000Z');
const at = (ms: number): string => new Date(NOW + ms).toISOString();
const open = (given: Partial<CircuitRecord>): CircuitRecord => ({
  ...{ v: WIRE_VERSION, signal_type: 'demo', state: 'open', epoch: 1, reason: 'test', since: at(-60_000) },
  ...{ pause_ms: 1_000, log_seq: 0, stops: [], until: at(0) },
  ...given,
});

test.each([
  ['the first attempt of the first run', 0, 1, {}, false],
  ['a release without a failure', 0, 1, { last: {} as Outcome }, false],
  ['a later run', 1, 1, {}, true],
  ['a later attempt', 0, 2, {}, true],
  ['a failed trial that used up no attempt', 0, 1, { last: { error_class: 'transient' } as Outcome }, true],
] as const)('%s: failed before', (...[, run, attempt, more, expected]) => {
  const inFlight = { signal: { run }, attempt, ...more } as unknown as InFlightSignal;
  expect(hasFailedBefore(inFlight)).toBe(expected);
});

test.each([
  ['another trial runs', open({}), false, 3_000],
  ['the pause has 1.5 s left', open({ until: at(1_500) }), false, 1_500],
  ['others go first', open({}), true, 2_000],
  ['its own pause has 4 s left', open({ failed_before: { until: at(4_000), pause_ms: 4_000 } }), true, 4_000],
  ['its own pause is long', open({ failed_before: { until: at(240_000), pause_ms: 240_000 } }), true, 10_000],
  ['nothing is known of the circuit', undefined, true, 3_000],
] as const)('%s: when a signal that is not tried comes back', (...[, circuit, failedBefore, atLeastMs]) => {
  const ms = notTriedMs(circuit, failedBefore, NOW);
  expect(ms).toBeGreaterThanOrEqual(atLeastMs);
  expect(ms).toBeLessThanOrEqual(atLeastMs + 500);
});
