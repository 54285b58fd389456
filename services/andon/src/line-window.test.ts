import { sampleOutcome } from '@tps/testkit';
import { LineWindow, type LineWindowRecord } from './line-window';

const NOW = Date.parse('2026-01-25T12:00:00Z');

test('figures of the last five minutes, over all buckets', () => {
  const window = new LineWindow();
  for (let i = 1; i <= 1_000; i += 1) {
    const outcome = sampleOutcome({
      process_ms: i,
      trace_id: `t${i}`,
      status: i % 10 ? 'succeeded' : 'failed',
    });
    window.add(outcome, NOW - 250_000 + i * 250);
  }
  const figures = window.figures(NOW);
  expect(figures).toMatchObject({ processed: 1_000, failed: 100, error_rate: 10 });
  expect(figures).toMatchObject({ failure_trace: 't1000', slowest_trace: 't1000' });
  expect(figures.p99_ms / 990).toBeGreaterThanOrEqual(1);
  expect(figures.p99_ms / 990).toBeLessThan(1.011);
});

test('a snapshot of a window gives the same figures, and is counted on', () => {
  const window = new LineWindow();
  window.add(sampleOutcome({ status: 'failed', process_ms: 70 }), NOW - 60_000);
  window.add(sampleOutcome({ process_ms: 90 }), NOW);
  const restored = LineWindow.restore(JSON.parse(JSON.stringify(window.record())) as LineWindowRecord);
  expect(restored.figures(NOW)).toEqual(window.figures(NOW));
  restored.add(sampleOutcome(), NOW);
  expect(restored.figures(NOW)).toMatchObject({ processed: 3, failed: 1, rate_per_s: 0.2 });
});

test('outcomes that are over, or that were not processed, are in no rate; those that were given up are counted apart', () => {
  const window = new LineWindow();
  window.add(sampleOutcome(), NOW - 310_000);
  for (const status of ['rejected', 'expired', 'cancelled', 'retrying'] as const) {
    window.add(sampleOutcome({ status }), NOW);
  }
  expect(window.figures(NOW)).toEqual({
    processed: 0,
    failed: 0,
    error_rate: 0,
    p99_ms: 0,
    wait_p95_ms: expect.closeTo(sampleOutcome().wait_ms, 1) as number,
    rate_per_s: 0,
    ...{ rejected: 1, expired: 1, cancelled: 1, cut_off: 0 },
  });
});

test('a handler that was cut off by the deadline of its signal is counted among the failed, and apart', () => {
  const window = new LineWindow();
  window.add(sampleOutcome({ status: 'failed', error_class: 'capacity' }), NOW);
  window.add(sampleOutcome({ status: 'failed', error_class: 'defect' }), NOW);
  expect(window.figures(NOW)).toMatchObject({ failed: 2, cut_off: 1 });
});

test('the pace is that of the time with work, and unknown while too few signals finished', () => {
  const window = new LineWindow();
  for (let i = 0; i < 4; i += 1) window.add(sampleOutcome(), NOW);
  expect(window.figures(NOW + 3_000).pace_per_s).toBeUndefined();
  for (let i = 0; i < 60; i += 1) window.add(sampleOutcome(), NOW + 5_000 + i * 50);
  const { pace_per_s, rate_per_s } = window.figures(NOW + 8_000);
  expect(pace_per_s).toBeCloseTo(20, 0);
  expect(rate_per_s).toBeCloseTo(6.4, 0);
});

test('the rate is that of the last ten seconds', () => {
  const window = new LineWindow();
  for (let i = 0; i < 30; i += 1) window.add(sampleOutcome(), NOW - i * 500);
  expect(window.figures(NOW).rate_per_s).toBeCloseTo(2, 0);
  expect(window.figures(NOW + 20_000).rate_per_s).toBe(0);
});

test('the percentile of one signal is its own time', () => {
  const window = new LineWindow();
  window.add(sampleOutcome({ process_ms: 123.4 }), NOW);
  expect(window.figures(NOW).p99_ms).toBe(123.4);
});
