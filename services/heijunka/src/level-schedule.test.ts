import type { TypeDemand } from './demand';
import { isWorthWriting, scheduleOf, weightsOf } from './level-schedule';

const demand = (rates: Record<string, number>): Record<string, TypeDemand> =>
  Object.fromEntries(
    Object.entries(rates).map(([type, per_s]) => [type, { arrivals_per_s: per_s, backlog: 0, per_s }]),
  );

test('demand of 300, 100 and 100 gives the weights 3:1:1, 1 on average', () => {
  const weights = weightsOf(demand({ a: 300, b: 100, c: 100 }), []);
  expect(weights).toEqual({ a: 1.8, b: 0.6, c: 0.6 });
});

test('a known type without demand keeps a small weight', () => {
  expect(weightsOf(demand({ a: 10 }), ['a', 'idle'])).toEqual({ a: 2, idle: 0.05 });
});

test('without any demand all types have equal weights', () => {
  expect(weightsOf({}, ['b', 'a'])).toEqual({ a: 1, b: 1 });
});

const plan = (weights: Record<string, number>, cards: Record<string, number> = {}) => ({ weights, cards });

test.each<[what: string, after: Record<string, number>, worth: boolean]>([
  ['a tenth', { a: 1.1, b: 0.9 }, false],
  ['more than a tenth', { a: 1.12, b: 0.9 }, true],
  ['another type', { a: 1, b: 1, c: 1 }, true],
  ['a type less', { a: 1 }, true],
  ['nothing', { a: 1, b: 1 }, false],
])('a schedule is written when the weights differ by more than a tenth: %s', (_, after, worth) =>
  expect(isWorthWriting(scheduleOf({ weights: { a: 1, b: 1 }, cards: {} }, 0), plan(after))).toBe(worth),
);

test('any change of the cards is written', () => {
  const before = scheduleOf({ weights: { a: 1 }, cards: { a: 3 } }, 0);
  expect(isWorthWriting(before, plan({ a: 1 }, { a: 3 }))).toBe(false);
  expect(isWorthWriting(before, plan({ a: 1 }, { a: 4 }))).toBe(true);
});

test('the schedule has the shares 8:4:2:1 of the priority classes', () => {
  expect(scheduleOf(plan({ a: 1 }, { a: 2 }), 0)).toEqual({
    v: 1,
    classes: { 1: 8, 2: 4, 3: 2, 4: 1 },
    demand: { a: 1 },
    cards: { a: 2 },
    updated_at: '1970-01-01T00:00:00.000Z',
  });
});
