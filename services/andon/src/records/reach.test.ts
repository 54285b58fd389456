import { type LogRoom, reachMs, reachOf, shortage } from './reach';

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2026-01-02T00:00:00Z');
const GIB = 1024 ** 3;

function room(given: Partial<LogRoom['config'] & LogRoom['state']> = {}): LogRoom {
  const { max_age = 24 * HOUR_MS * 1e6, max_bytes = GIB, ...state } = given;
  const first_ts = new Date(NOW - 10 * HOUR_MS).toISOString();
  return {
    config: { max_age, max_bytes },
    state: { bytes: GIB, first_seq: 7, messages: 5, first_ts, ...state },
  };
}

test.each<[string, Partial<LogRoom['config'] & LogRoom['state']>, number]>([
  ['a full log reaches back to its oldest message', {}, 10],
  ['a log with room keeps its promise, however young its oldest message', { bytes: GIB / 2 }, 24],
  ['a log that has dropped nothing yet keeps its promise', { first_seq: 1 }, 24],
  ['a log without a limit in bytes keeps its promise', { max_bytes: -1 }, 24],
  ['a log that was made for less time reaches back that far', { bytes: 0, max_age: 6 * HOUR_MS * 1e6 }, 6],
  ['a log that keeps more than was promised reaches back as promised', { max_age: 0, bytes: 0 }, 24],
  ['an empty log keeps its promise', { messages: 0 }, 24],
])('%s', (_, given, hours) => {
  expect(reachMs(room(given), 24 * HOUR_MS, NOW)).toBe(hours * HOUR_MS);
});

test('a shortage is told with both figures', () => {
  expect(shortage(9.9 * HOUR_MS, 24 * HOUR_MS)).toBe('the records reach back 9.9 h of 24');
  expect(shortage(24 * HOUR_MS, 24 * HOUR_MS)).toBeUndefined();
  expect(reachOf(9.9 * HOUR_MS, 24 * HOUR_MS, NOW)).toEqual({
    since: '2026-01-01T14:06:00.000Z',
    hours: 9.9,
    promised_hours: 24,
  });
});
