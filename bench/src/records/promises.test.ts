import { Promises } from './promises';

test('the table has every figure, and counts and marks what is broken', () => {
  const promises = new Promises();
  promises.note('signals a second', '6123');
  promises.exactly('effects', 1_001, 1_000);
  promises.below('look-up p99', 4.26, 20, 'ms');
  expect(promises.broken).toBe(1);
  expect(promises.table().split('\n')).toEqual([
    '                  measured  promised',
    'signals a second      6123',
    'effects               1001  1000  BROKEN',
    'look-up p99         4.3 ms  < 20 ms',
  ]);
});
