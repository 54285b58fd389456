import { ASYNC_RETRY_DEFAULTS, backoffMs, RETRY_DEFAULTS, RETRY_LIMITS } from './retry-policy';

test.each([
  [1, 200],
  [2, 400],
  [3, 800],
  [8, 25_600],
  [9, 30_000],
  [100, 30_000],
  [5_000, 30_000],
])('the backoff after attempt %i is at most %i ms by default', (attempt, mostMs) => {
  expect(backoffMs(RETRY_DEFAULTS, attempt, 1)).toBe(mostMs);
  expect(backoffMs(RETRY_DEFAULTS, attempt, 0)).toBe(0);
});

test.each([
  [2, 1, 2],
  [3, 6, 12],
  [4, 31, 62],
  [5, 156, 312],
  [6, 306, 612],
])(
  '%i attempts without a waiting sender take from %d to %d s of backoff by default',
  (attempts, least, most) => {
    const total = (random: number): number =>
      Array.from({ length: attempts - 1 }, (_, n) => backoffMs(ASYNC_RETRY_DEFAULTS, n + 1, random)).reduce(
        (sum, ms) => sum + ms,
      );
    expect([total(0), total(1)]).toEqual([least * 1_000, most * 1_000]);
  },
);

test.each([RETRY_DEFAULTS, ASYNC_RETRY_DEFAULTS])('the defaults are within the limits: %j', (defaults) => {
  for (const [field, value] of Object.entries(defaults)) {
    const { min, max } = RETRY_LIMITS[field as keyof typeof RETRY_LIMITS];
    expect(value >= min && value <= max).toBe(true);
  }
});

test('a base of 0 retries at once, also after many attempts', () => {
  expect(backoffMs({ max_attempts: 100, base_ms: 0, cap_ms: 10 }, 100, 1)).toBe(0);
  expect(backoffMs({ max_attempts: 100, base_ms: 0, cap_ms: 10, factor: 100 }, 200, 1)).toBe(0);
});
