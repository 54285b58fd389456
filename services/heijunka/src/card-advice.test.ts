import { advisedCards, adviseCards } from './card-advice';
import { workerHeartbeat } from './heartbeat.fixture';

const demand = (arrivals_per_s: number, backlog: number) => ({ arrivals_per_s, backlog, per_s: 0 });
const asked = (
  arrivals_per_s: number,
  backlog: number,
  given: { cycleMs?: number; slots?: number } = {},
) => ({ demand: demand(arrivals_per_s, backlog), cycleMs: 1_000, slots: 100, ...given });

test.each([
  ['arrivals times the time they take, and half as much again', asked(10, 0), 15],
  ['the rate that works off the backlog within a minute', asked(0, 600), 15],
  ['the greater of arrivals and backlog, not their sum', asked(10, 600), 15],
  ['fewer for shorter work', asked(10, 0, { cycleMs: 100 }), 2],
  ['at least one', asked(0, 0), 1],
  ['at most the number of slots', asked(1_000, 0, { slots: 8 }), 8],
])('advises %s', (_, given, cards) => {
  expect(advisedCards(given)).toBe(cards);
});

test('the advice rises at once, and falls only when the need is clearly lower', () => {
  expect(advisedCards(asked(10.5, 0), 15)).toBe(16);
  expect(advisedCards(asked(9.9, 0), 16)).toBe(16);
  expect(advisedCards(asked(4, 0), 16)).toBe(8);
  expect(advisedCards(asked(9.9, 0, { slots: 4 }), 16)).toBe(4);
});

test('the slots are those of the workers that serve the type, and a type without work or workers keeps its figure', () => {
  const workers = [
    workerHeartbeat('w1', { slots: 4, types: ['a', 'b'] }),
    workerHeartbeat('w2', { slots: 2, types: ['a'] }),
  ];
  const facts = {
    demand: { a: demand(100, 0), b: demand(100, 0), gone: demand(100, 0) },
    cycleMs: { a: 1_000, b: 1_000, idle: 1_000, gone: 1_000 },
    workers: [...workers, workerHeartbeat('w3', { slots: 1, types: ['idle'] })],
  };
  const before = { resting: 7, gone: 3 };
  expect(adviseCards(facts, before)).toEqual({ a: 6, b: 4, idle: 1, resting: 7, gone: 3 });
});
