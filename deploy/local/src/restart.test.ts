import { isFinal, restartDelayMs } from './restart';

describe('restartDelayMs', () => {
  it('is 0 for the first restart', () => {
    expect(restartDelayMs(0, 0.5)).toBe(0);
  });

  it('grows, is partly random, and is at most 4 s', () => {
    expect([1, 2, 3].map((count) => restartDelayMs(count, 1))).toEqual([500, 1000, 2000]);
    expect(restartDelayMs(3, 0)).toBe(1000);
    expect(restartDelayMs(1000, 1)).toBe(4000);
  });
});

describe('isFinal', () => {
  it('is true only for a wrong configuration at the first start', () => {
    expect(isFinal(78, { liveMs: 0, restarts: 0 })).toBe(true);
    expect(isFinal(78, { liveMs: 45_000, restarts: 0 })).toBe(true);
    expect(isFinal(78, { liveMs: 60_000, restarts: 0 })).toBe(false);
    expect(isFinal(78, { liveMs: 0, restarts: 1 })).toBe(false);
    expect(isFinal(1, { liveMs: 0, restarts: 0 })).toBe(false);
  });
});
