import type { Priority } from '@tps/contracts';
import { type BufferUse, hardLimit, noRoom } from './admission';

const fill = (depth: number, given: Partial<BufferUse> = {}): BufferUse => ({
  depth,
  depthOfType: 0,
  knownTypes: 4,
  buffer: 100,
  ...given,
});

/** The depth at which a priority is refused. */
function limitOf(priority: Priority, given: Partial<BufferUse> = {}): number {
  for (let depth = 0; depth <= 1_000; depth += 1) if (noRoom(priority, fill(depth, given))) return depth;
  return Infinity;
}

test.each([
  [1, 110],
  [2, 100],
  [3, 100],
  [4, 80],
] as const)('priority %i may enter below %i of 100', (priority, limit) => {
  expect(limitOf(priority)).toBe(limit);
});

test.each([
  [1, [2, 1, 1, 1]],
  [2, [3, 2, 2, 1]],
  [7, [8, 7, 7, 5]],
])('a buffer of %i lets each priority in below %j', (buffer, limits) => {
  expect(([1, 2, 3, 4] as const).map((priority) => limitOf(priority, { buffer }))).toEqual(limits);
});

test('the limit of the stream is that of priority 1', () => {
  expect([1, 10, 100, 1_000].map(hardLimit)).toEqual([2, 11, 110, 1_100]);
});

test('in a nearly full buffer a type with its fair share gives way to the others', () => {
  const greedy = { depthOfType: 25 };
  const modest = { depthOfType: 24 };
  expect(limitOf(3, greedy)).toBe(80);
  expect(limitOf(3, modest)).toBe(100);
  expect(noRoom(3, fill(80, greedy))?.reason).toContain('fair share of 25');
});

test('a critical signal enters whatever share its type has', () => {
  expect(limitOf(1, { depthOfType: 99 })).toBe(110);
});

test('a single type may use the whole buffer, known or not', () => {
  expect(limitOf(3, { knownTypes: 1, depthOfType: 99 })).toBe(100);
  expect(limitOf(3, { knownTypes: 0, depthOfType: 99 })).toBe(100);
});

test.each([
  [3, fill(100), 1],
  [3, fill(120), 21],
  [4, fill(100), 21],
  [3, fill(90, { depthOfType: 90 }), 11],
  [3, fill(95, { depthOfType: 27 }), 3],
] as const)('priority %i in %j fits when %i signals have left', (priority, use, over) => {
  expect(noRoom(priority, use)?.over).toBe(over);
});
