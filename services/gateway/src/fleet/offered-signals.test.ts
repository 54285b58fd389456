import { OfferedSignals } from './offered-signals';

const NOW = Date.parse('2026-01-25T12:00:00.400Z');

test('it counts by type over the last five minutes, and in all', () => {
  const { offered } = new OfferedSignals();
  offered.add('drill', NOW);
  offered.add('drill', NOW + 200_000);
  offered.add('press', NOW + 200_000);
  expect(offered.recent(NOW + 200_000)).toEqual({ drill: 2, press: 1 });
  expect(offered.recent(NOW + 299_000)).toEqual({ drill: 2, press: 1 });
  expect(offered.recent(NOW + 300_000)).toEqual({ drill: 1, press: 1 });
  expect(offered.recent(NOW + 5_000_000)).toEqual({});
  expect(offered.totals()).toEqual([
    ['drill', 2],
    ['press', 1],
  ]);
});

test('the rate of a new type is right after a second, and that of a steady one at any moment', () => {
  const { offered } = new OfferedSignals();
  for (let i = 0; i < 20 * 30; i += 1) {
    const nowMs = NOW + i * 50;
    offered.add('drill', nowMs);
    if (i >= 20) expect(Math.abs(offered.perSecond(nowMs).drill! - 20)).toBeLessThanOrEqual(1);
  }
  expect(offered.perSecond(NOW + 45_000)).toEqual({ drill: 0 });
});

test('a clock that goes back loses no count', () => {
  const { offered } = new OfferedSignals();
  offered.add('drill', NOW);
  offered.add('drill', NOW - 10_000);
  expect(offered.recent(NOW)).toEqual({ drill: 2 });
});
