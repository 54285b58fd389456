import { percentiles, spread } from './percentiles';

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, i) => count - i);

describe('percentiles', () => {
  test('are some of the values, by nearest rank', () => {
    expect(percentiles(oneTo(100))).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
    expect(percentiles(oneTo(1000))).toEqual({ p50: 500, p95: 950, p99: 990, max: 1000 });
  });

  test('are not interpolated between few values', () => {
    expect(percentiles([7])).toEqual({ p50: 7, p95: 7, p99: 7, max: 7 });
    expect(percentiles([3, 1, 2])).toEqual({ p50: 2, p95: 3, p99: 3, max: 3 });
  });

  test('sort by number, not by text', () => {
    expect(percentiles([10, 9, 100]).max).toBe(100);
  });

  test('are NaN without values', () => {
    expect(percentiles([]).p99).toBeNaN();
  });
});

describe('spread', () => {
  test('has the median, the minimum and the maximum', () => {
    expect(spread([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 });
    expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spread([2])).toEqual({ median: 2, min: 2, max: 2 });
  });
});
