import { cardsFor } from './advice';

const facts = (
  arrivals_per_s: number,
  backlog: number,
  given: { cycleMs?: number; slots?: number } = {},
) => ({
  demand: { arrivals_per_s, backlog, per_s: 0 },
  cycleMs: 1_000,
  slots: 100,
  ...given,
});

test.each([
  ['what arrives, for as long as it takes, and half as much again', facts(10, 0), 15],
  ['what waits, worked off within a minute', facts(0, 600), 15],
  ['the greater of the two, not their sum', facts(10, 600), 15],
  ['shorter work needs fewer', facts(10, 0, { cycleMs: 100 }), 2],
  ['at least one', facts(0, 0), 1],
  ['at most the slots there are', facts(1_000, 0, { slots: 8 }), 8],
])('%s', (_, given, cards) => {
  expect(cardsFor(given)).toBe(cards);
});

test('more at once, fewer only when it is clear: the figure does not flutter', () => {
  expect(cardsFor(facts(10.5, 0), 15)).toBe(16);
  expect(cardsFor(facts(9.9, 0), 16)).toBe(16);
  expect(cardsFor(facts(4, 0), 16)).toBe(8);
  expect(cardsFor(facts(9.9, 0, { slots: 4 }), 16)).toBe(4);
});
