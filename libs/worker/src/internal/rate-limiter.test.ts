import { RateLimiter } from './rate-limiter';

/** The times at which signals start, if everything that may start does, every `everyMs`. */
function starts(pacer: RateLimiter, { forMs, everyMs }: { forMs: number; everyMs: number }): number[] {
  const times: number[] = [];
  for (let now = 0; now < forMs; now += everyMs) {
    for (let n = pacer.ready(now); n > 0; n -= 1) {
      pacer.take(now);
      times.push(now);
    }
  }
  return times;
}

test.each([
  [5, 1],
  [50, 7],
  [500, 5],
])('%d a second start evenly, checked every %d ms', (perS, everyMs) => {
  const times = starts(new RateLimiter(perS, 0), { forMs: 10_000, everyMs });
  expect(times.length / 10).toBeGreaterThan(perS * 0.97);
  for (let from = 0; from <= 9_000; from += 250) {
    const within = times.filter((at) => at >= from && at < from + 1_000).length;
    expect(within).toBeLessThanOrEqual(Math.ceil(perS * 1.02) + 1);
  }
});

test('unused time is not saved up', () => {
  const pacer = new RateLimiter(10, 0);
  expect(pacer.ready(60_000)).toBe(1);
  pacer.take(60_000);
  expect(pacer.ready(60_000)).toBe(0);
  expect(pacer.ready(60_100)).toBe(1);
});

test('a start that did not happen may be made again', () => {
  const pacer = new RateLimiter(1, 0);
  pacer.take(0);
  expect(pacer.ready(500)).toBe(0);
  pacer.refund();
  expect(pacer.ready(500)).toBe(1);
});

test('another worker continues where the last one stopped, whatever its clock says', () => {
  const pacer = new RateLimiter(2, 0);
  pacer.resume(300, 100);
  expect([pacer.ready(299), pacer.ready(300)]).toEqual([0, 1]);
  pacer.resume(3_600_000, 1_000);
  expect([pacer.ready(1_499), pacer.ready(1_500)]).toEqual([0, 1]);
});
