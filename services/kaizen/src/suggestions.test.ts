import type { Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { LOSS_WINDOW_MS, LossWindow } from './loss-window';
import { suggestionsFor } from './suggestions';

const NOW = Date.parse('2026-01-25T12:00:00Z');

function suggestions(outcomes: Partial<Outcome>[], { at = NOW, superseded = false } = {}) {
  const losses = new LossWindow();
  outcomes.forEach((given, index) =>
    losses.add({ outcome: sampleOutcome(given), seq: 1, index, timeMs: at, superseded, live: true }),
  );
  return suggestionsFor(losses.byType(NOW));
}
const many = (n: number, given: Partial<Outcome> = {}): Partial<Outcome>[] =>
  Array.from({ length: n }, () => given);

test('nothing is suggested within the standards, nor for fewer than 20 signals', () => {
  expect(suggestions([...many(99), ...many(1, { status: 'failed' })])).toEqual([]);
  expect(suggestions(many(19, { status: 'failed' }))).toEqual([]);
});

test('failures: the most frequent cause is named, with its latest trace', () => {
  const alike = { status: 'failed', fingerprint: 'f1', message: 'no disk' } as const;
  const found = suggestions([
    ...many(96),
    ...many(2, alike),
    { ...alike, trace_id: 'f'.repeat(32) },
    { status: 'failed', fingerprint: 'f2', message: 'other' },
  ]);
  expect(found).toEqual([
    {
      ...{ signal_type: 'execute', rule: 'failures', standard: 1, actual: 4, signals: 4 },
      finding: '4 of 100 failed, 3 of them alike: no disk',
      suggestion: expect.stringContaining('"type": "execute"') as string,
      trace_id: 'f'.repeat(32),
    },
  ]);
});

test('waiting, rework, rejects and expiry are measured, and the furthest above its standard comes first', () => {
  const found = suggestions([
    ...many(40, { wait_ms: 150, process_ms: 50 }),
    ...many(10, { status: 'retrying', process_ms: 20 }),
    ...many(10, { status: 'rejected', message: 'payload.data is missing' }),
    ...many(10, { status: 'expired' }),
  ]);
  expect(found.map(({ rule, actual, signals }) => ({ rule, actual, signals }))).toEqual([
    { rule: 'expiry', actual: 20, signals: 10 },
    { rule: 'rework', actual: 20, signals: 10 },
    { rule: 'rejects', actual: 20, signals: 10 },
    { rule: 'waiting', actual: 75, signals: 40 },
  ]);
  expect(found.at(-1)?.finding).toBe('A signal waits 150 ms for 50 ms of work.');
});

test('a wait too short to notice is no loss', () => {
  expect(suggestions(many(100, { wait_ms: 10, process_ms: 1 }))).toEqual([]);
});

test('the minimum of 20 signals holds for each rule by itself', () => {
  const rejected = many(50, { status: 'rejected' });
  const found = suggestions([...rejected, { status: 'retrying' }, { wait_ms: 900, process_ms: 1 }]);
  expect(found.map(({ rule }) => rule)).toEqual(['rejects']);
});

test('outcomes older than an hour, and superseded ones, do not count', () => {
  const failing = many(30, { status: 'failed' });
  expect(suggestions(failing)).toHaveLength(1);
  expect(suggestions(failing, { at: NOW - LOSS_WINDOW_MS })).toEqual([]);
  expect(suggestions(failing, { superseded: true })).toEqual([]);
});
