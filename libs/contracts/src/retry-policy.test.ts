import { backoffMs, RETRY_DEFAULTS, RETRY_LIMITS } from './retry-policy';

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

test('the defaults are within the limits', () => {
  for (const [field, { min, max }] of Object.entries(RETRY_LIMITS)) {
    const value = RETRY_DEFAULTS[field as keyof typeof RETRY_DEFAULTS];
    expect(value >= min && value <= max).toBe(true);
  }
});

test('a base of 0 retries at once, also after many attempts', () => {
  expect(backoffMs({ max_attempts: 100, base_ms: 0, cap_ms: 10 }, 100, 1)).toBe(0);
});
