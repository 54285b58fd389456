import { RollingWindow } from './rolling-window';

const window = (): RollingWindow<{ n: number }> =>
  new RollingWindow({ bucketMs: 10, buckets: 3, empty: () => ({ n: 0 }) });

test('events of one bucket meet; a bucket that is over is not returned', () => {
  const w = window();
  for (const time of [100, 105, 110]) w.at(time)!.n += 1;
  expect(w.within(110).map(({ n }) => n)).toEqual(expect.arrayContaining([2, 1]));
  expect(w.within(130).map(({ n }) => n)).toEqual([1]);
  expect(w.within(140)).toEqual([]);
});

test('a moment older than a whole round has no bucket', () => {
  const w = window();
  w.at(130)!.n = 1;
  expect(w.at(100)).toBeUndefined();
  expect(w.within(130)).toEqual([{ n: 1 }]);
});

test('a bucket ahead of the clock counts', () => {
  const w = window();
  w.at(200)!.n = 1;
  expect(w.within(100)).toEqual([{ n: 1 }]);
});

test('another window goes on with the content of a snapshot', () => {
  const [first, next] = [window(), window()];
  for (const time of [100, 110, 120]) first.at(time)!.n = time;
  next.restore(first.entries());
  next.at(130)!.n = 130;
  expect(next.within(130).map(({ n }) => n)).toEqual(expect.arrayContaining([110, 120, 130]));
  expect(next.at(100)).toBeUndefined();
});
