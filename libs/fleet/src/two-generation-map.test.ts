import { TwoGenerationMap } from './two-generation-map';

test('it keeps the latest entries and forgets whole generations', () => {
  const map = new TwoGenerationMap<number>(3);
  for (let i = 0; i < 7; i += 1) map.set(`key-${i}`, i);
  expect([0, 1, 2].some((i) => map.has(`key-${i}`))).toBe(false);
  expect([3, 4, 5, 6].map((i) => map.get(`key-${i}`))).toEqual([3, 4, 5, 6]);
});

test('a new value hides the one of the old generation', () => {
  const map = new TwoGenerationMap<number>(2);
  for (const [key, value] of [['a', 1] as const, ['b', 1] as const, ['a', 2] as const]) map.set(key, value);
  expect(map.get('a')).toBe(2);
});

test('the oldest value is the first that it still has', () => {
  const map = new TwoGenerationMap<number>(3);
  expect(map.oldest).toBeUndefined();
  const oldest = [0, 1, 2, 3, 4, 5, 6].map((i) => {
    map.set(`key-${i}`, i);
    return map.oldest;
  });
  expect(oldest).toEqual([0, 0, 0, 0, 0, 0, 3]);
});
