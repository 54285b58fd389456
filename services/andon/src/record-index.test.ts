import { RecordIndex } from './record-index';

test('positions come back as they were put, oldest first', () => {
  const index = new RecordIndex();
  const first = { seq: 7, index: 255, final: false };
  const second = { seq: 200_000_000_000, index: 16_383, final: true };
  index.add('a', first);
  expect(index.isFinal('a')).toBe(false);
  index.add('a', second);
  expect(index.positionsOf('a')).toEqual([first, second]);
  expect(index.isFinal('a')).toBe(true);
});

test('an unknown signal has no position', () => {
  expect(new RecordIndex().positionsOf('nobody')).toEqual([]);
  expect(new RecordIndex().isFinal('nobody')).toBe(false);
});

test('it forgets the oldest, and keeps all positions of what it knows', () => {
  const index = new RecordIndex(2);
  for (const [seq, id] of ['a', 'b', 'c', 'b', 'd'].entries()) index.add(id, { seq, index: 0, final: true });
  expect(index.positionsOf('a')).toEqual([]);
  expect(index.positionsOf('b').map(({ seq }) => seq)).toEqual([1, 3]);
});
