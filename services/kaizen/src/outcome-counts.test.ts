import type { Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { OTHER_TYPES, OutcomeCounts } from './outcome-counts';

const NOW = Date.parse('2026-01-25T12:00:00Z');

function countsOf(outcomes: Partial<Outcome>[], timeMs = NOW): OutcomeCounts {
  const counts = new OutcomeCounts();
  outcomes.forEach((given, index) =>
    counts.add({ outcome: sampleOutcome(given), seq: 1, index, timeMs, superseded: false, live: true }),
  );
  return counts;
}

test('totals hold succeeded and failed signals; other outcomes are counted apart', () => {
  const board = countsOf([
    { status: 'succeeded' },
    { status: 'succeeded', signal_type: 'report' },
    { status: 'succeeded' },
    { status: 'failed' },
    { status: 'rejected' },
    { status: 'expired' },
    { status: 'cancelled' },
    { status: 'retrying' },
    { status: 'returned' },
  ]).board(7, NOW);
  expect(board).toMatchObject({
    total_processed: 4,
    success_count: 3,
    error_count: 1,
    error_rate: 25,
    error_rate_5m: 25,
    rejected: 1,
    expired: 1,
    cancelled: 1,
    retried: 1,
    superseded: 0,
    since: '2026-01-25T12:00:00.000Z',
    position: 7,
  });
  expect(board.types.execute).toMatchObject({ total_processed: 3, error_count: 1, error_rate: 33.333 });
  expect(board.types.report).toMatchObject({ total_processed: 1, error_rate: 0 });
  // Each sample has 50 ms of work and 1 ms of waiting.
  expect(board).toMatchObject({ flow_efficiency_percent: 98.039 });
  expect(board.types.report).toMatchObject({ flow_efficiency_percent: 98.039 });
});

test('an empty board has zeros', () => {
  expect(new OutcomeCounts().board(0, NOW)).toEqual({
    v: 1,
    total_processed: 0,
    success_count: 0,
    error_count: 0,
    error_rate: 0,
    avg_duration_ms: 0,
    p95_duration_ms: 0,
    p99_duration_ms: 0,
    flow_efficiency_percent: 0,
    error_rate_5m: 0,
    rejected: 0,
    expired: 0,
    cancelled: 0,
    superseded: 0,
    retried: 0,
    types: {},
    since: null,
    position: 0,
  });
});

test('a superseded outcome is in no total', () => {
  const counts = countsOf([{}]);
  const outcome = sampleOutcome({ status: 'failed' });
  counts.add({ outcome, seq: 2, index: 0, timeMs: NOW, superseded: true, live: true });
  expect(counts.board(2, NOW)).toMatchObject({ total_processed: 1, error_count: 0, superseded: 1 });
});

test('percentiles are those of all values, to three digits', () => {
  const values = Array.from({ length: 1_000 }, (_, i) => ({ process_ms: i + 1, wait_ms: (i + 1) * 60_000 }));
  const { types } = countsOf(values).board(1, NOW);
  expect(types.execute?.work.avg_ms).toBe(500.5);
  expect(types.execute?.work.max_ms).toBe(1_000);
  expect(types.execute?.wait.max_ms).toBe(60_000_000);
  for (const [key, ms] of [['p50_ms', 500] as const, ['p95_ms', 950] as const, ['p99_ms', 990] as const]) {
    expect(Math.abs((types.execute?.work[key] ?? 0) / ms - 1)).toBeLessThan(0.001);
    expect(Math.abs((types.execute?.wait[key] ?? 0) / (ms * 60_000) - 1)).toBeLessThan(0.001);
  }
});

test('the recent error rate covers the last five minutes only', () => {
  const counts = countsOf([{ status: 'failed' }]);
  expect(counts.recentErrorRate(NOW)).toBe(100);
  expect(counts.recentErrorRate(NOW + 310_000)).toBe(0);
  expect(counts.board(1, NOW + 310_000).error_rate).toBe(100);
});

test('types beyond the limit are counted together', () => {
  const counts = countsOf(Array.from({ length: 300 }, (_, i) => ({ signal_type: `type-${i}` })));
  expect(counts.types.size).toBe(257);
  expect(counts.types.get(OTHER_TYPES)?.processed).toBe(44);
});
