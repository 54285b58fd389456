import { Refusals } from './refusals';

const MINUTE = 60_000;

test('refusals count by type for five minutes', () => {
  const refusals = new Refusals();
  const startMs = Date.parse('2026-01-25T12:00:00Z');
  refusals.add('drill', startMs);
  refusals.add('drill', startMs + MINUTE);
  refusals.add('press', startMs + 4 * MINUTE);
  expect(refusals.counts(startMs + 4 * MINUTE)).toEqual({ drill: 2, press: 1 });
  expect(refusals.counts(startMs + 5 * MINUTE)).toEqual({ drill: 1, press: 1 });
  expect(refusals.counts(startMs + 9 * MINUTE)).toEqual({});
});
