import { LONGEST_WAIT_MS, retryAfterMs } from './retry-after';

const NOW = Date.parse('2026-01-25T12:00:00.000Z');
const at = (ms: number): string => new Date(NOW + ms).toUTCString();

test.each<[string, number]>([
  ['0', 0],
  ['5', 5_000],
  [' 120 ', 120_000],
  ['86400', LONGEST_WAIT_MS],
  ['9'.repeat(400), LONGEST_WAIT_MS],
  [at(6_000), 6_000],
  ['Sunday, 25-Jan-26 12:00:06 GMT', 6_000],
  ['Sun Jan 25 12:00:06 2026', 6_000],
  [at(-6_000), 0],
  ['Fri, 31 Dec 2099 23:59:59 GMT', LONGEST_WAIT_MS],
  ...['', '-5', '1.5', '5 minutes', 'soon', '2026-01-25T12:00:06Z', 'Xxx, 99 Yyy 2026 12:00:06 GMT'].map(
    (told): [string, number] => [told, 0],
  ),
])('%j is a wait of %i ms', (told, ms) => {
  expect(retryAfterMs({ 'retry-after': told }, NOW)).toBe(ms);
});

test('an answer without the header asks for no wait', () => {
  expect(retryAfterMs({}, NOW)).toBe(0);
});

test('a date is relative to the clock of the host', () => {
  for (const skew of [-7_200_000, 7_200_000]) {
    expect(retryAfterMs({ 'retry-after': at(skew + 5_000), date: at(skew) }, NOW)).toBe(5_000);
  }
  expect(retryAfterMs({ 'retry-after': at(5_000), date: 'yesterday' }, NOW)).toBe(5_000);
});
