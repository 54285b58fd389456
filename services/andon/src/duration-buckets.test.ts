import { DurationBuckets } from './duration-buckets';

const of = (...durations: number[]): DurationBuckets => {
  const buckets = new DurationBuckets();
  for (const ms of durations) buckets.add(ms);
  return buckets;
};

test('no durations have no percentile', () => {
  expect(of().percentile(99)).toBe(0);
});

test.each([0.02, 0.5, 1, 7, 99.9, 1_000, 86_400_000])(
  '%d ms is read back at most one percent above it',
  (ms) => {
    const read = of(ms).percentile(50);
    expect(read).toBeGreaterThanOrEqual(ms * 0.999);
    expect(read).toBeLessThanOrEqual(ms * 1.0101);
  },
);

test.each([0, -5, 0.001, 0.01])('%d ms counts as the smallest duration', (ms) => {
  expect(of(ms).percentile(99)).toBe(0.01);
});

test('a percentile is the smallest duration that enough others do not exceed', () => {
  const hundred = of(...Array.from({ length: 99 }, () => 10), 1_000);
  expect(hundred.percentile(99)).toBeCloseTo(10, 0);
  expect(hundred.percentile(99.5)).toBeGreaterThanOrEqual(1_000);
});

test('merged windows count as one, in whatever order they were filled', () => {
  const merged = of(1, 2);
  merged.merge(of(300, 4));
  expect(merged.percentile(100)).toBe(of(300).percentile(100));
  expect(merged.percentile(50)).toBe(of(2).percentile(50));
});

test('a snapshot brings every count back', () => {
  const before = of(1, 1, 50, 9_000);
  const after = DurationBuckets.restore(JSON.parse(JSON.stringify(before.record())) as [number, number][]);
  for (const percent of [25, 50, 75, 100]) expect(after.percentile(percent)).toBe(before.percentile(percent));
});
