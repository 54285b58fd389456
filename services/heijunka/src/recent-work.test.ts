import type { Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { RECENT_WORK_MS, RecentWork } from './recent-work';

const NOW = Date.parse('2026-01-25T12:00:00Z');

function workOf(outcomes: (Partial<Outcome> & { ageMs?: number; superseded?: boolean })[]): RecentWork {
  const work = new RecentWork();
  for (const { ageMs = 0, superseded = false, ...given } of outcomes) {
    const outcome = sampleOutcome(given);
    work.add({ outcome, seq: 1, index: 0, timeMs: NOW - ageMs, superseded, live: true });
  }
  return work;
}

test('the cycle time is the mean work of a type over all workers', () => {
  const work = workOf([
    { signal_type: 'a', worker_id: 'w1', process_ms: 100 },
    { signal_type: 'a', worker_id: 'w2', process_ms: 51, ageMs: 60_000 },
    { signal_type: 'b', worker_id: 'w2', process_ms: 7, status: 'failed' },
  ]);
  expect(work.cycleMs(NOW)).toEqual({ a: 75.5, b: 7 });
  expect(work.finished(NOW)).toEqual({ w1: 1, w2: 2 });
});

test.each<[what: string, given: Parameters<typeof workOf>[0][number]]>([
  ['an outcome before the last five minutes', { ageMs: RECENT_WORK_MS }],
  ['a superseded outcome', { superseded: true }],
  ['an attempt that will be retried', { status: 'retrying' }],
  ['a released signal', { status: 'returned' }],
  ['an expired signal', { status: 'expired' }],
])('%s does not count', (_, given) => {
  const work = workOf([given]);
  expect([work.cycleMs(NOW), work.finished(NOW)]).toEqual([{}, {}]);
});
