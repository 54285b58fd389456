import { sampleOutcome } from '@tps/testkit';
import { fitted } from './record-reader';

const record = (id: string, bytes: number) => ({
  id,
  outcomes: [sampleOutcome({ signal_id: id, result: 'x'.repeat(bytes) })],
});

test('an answer that fits holds all records', () => {
  const records = [record('a', 10), record('b', 10)];
  expect(fitted(records)).toEqual({ records });
});

test('records that do not fit are named, and the first is always there', () => {
  const reply = fitted([record('a', 5_000), record('b', 9_000), record('c', 100)], 7_000);
  expect(reply.records.map(({ id }) => id)).toEqual(['a', 'c']);
  expect(reply.left_out).toEqual(['b']);
  expect(fitted([record('a', 9_000)], 7_000).records).toHaveLength(1);
});
