import { RoomForecast, waitForRoomMs } from './room-forecast';

describe('the wait for room', () => {
  test.each([
    [1, 30, 0, 1_000],
    [1, 30, 1, 1_250],
    [300, 30, 0, 10_000],
    [300, 30, 1, 12_500],
    [10_000, 30, 0, 48_000],
    [10_000, 30, 1, 60_000],
    [5, 0.1, 1, 60_000],
    [500, undefined, 0, 1_000],
    [500, undefined, 1, 1_250],
  ])('of %i signals at %p a second, by chance %p, is %i ms', (signals, perSecond, random, ms) => {
    expect(waitForRoomMs(signals, perSecond, random)).toBe(ms);
  });
});

describe('a forecast', () => {
  const forecast = (replicas = 1): RoomForecast =>
    new RoomForecast(
      () => replicas,
      () => 0,
    );

  test('follows the rate at which signals leave the queue', () => {
    const room = forecast();
    expect(room.refuse(1, 0)).toEqual({ retry_after_ms: 1_000 });
    for (let s = 0; s <= 20; s += 1) room.observe({ atMs: s * 1_000, removed: 30 * s, depth: 100 });
    expect(room.refuse(60, 20_000)).toEqual({ retry_after_ms: 2_000, finished_per_s: 30 });
    // The last ten seconds decide.
    for (let s = 21; s <= 31; s += 1) room.observe({ atMs: s * 1_000, removed: 600, depth: 100 });
    expect(room.refuse(60, 31_000)).toEqual({ retry_after_ms: 48_000, finished_per_s: 0.1 });
  });

  test('counts the senders who were told to come back before, until there was room for them', () => {
    const room = forecast();
    room.observe({ atMs: 0, removed: 0, depth: 100 });
    room.observe({ atMs: 1_000, removed: 10, depth: 100 });
    const waits = Array.from({ length: 100 }, () => room.refuse(1, 1_000).retry_after_ms);
    expect([waits[0], waits[19], waits[49], waits[99]]).toEqual([1_000, 2_000, 5_000, 10_000]);
    expect(room.refuse(1, 6_000).retry_after_ms).toBe(5_100);
    expect(room.refuse(1, 60_000).retry_after_ms).toBe(1_000);
  });

  test('of one of two replicas counts the senders of the other, too', () => {
    const room = forecast(2);
    room.observe({ atMs: 0, removed: 0, depth: 100 });
    room.observe({ atMs: 1_000, removed: 10, depth: 100 });
    const waits = Array.from({ length: 50 }, () => room.refuse(1, 1_000).retry_after_ms);
    expect(waits[49]).toBe(9_900);
  });

  test('remembers the rate of the last busy time, and leaves idle times and replaced streams out', () => {
    const room = forecast();
    room.observe({ atMs: 0, removed: 0, depth: 10 });
    room.observe({ atMs: 1_000, removed: 10, depth: 0 });
    room.observe({ atMs: 100_000, removed: 10, depth: 100 });
    expect(room.refuse(50, 100_000)).toEqual({ retry_after_ms: 5_000, finished_per_s: 10 });
    room.observe({ atMs: 101_000, removed: 15, depth: 100 });
    expect(room.refuse(50, 110_000)).toEqual({ retry_after_ms: 10_000, finished_per_s: 5 });
    room.observe({ atMs: 111_000, removed: 0, depth: 100 });
    room.observe({ atMs: 112_000, removed: 20, depth: 100 });
    expect(room.refuse(50, 140_000)).toEqual({ retry_after_ms: 2_500, finished_per_s: 20 });
  });
});
