import { AHEAD_MS, Pace } from './pace';

/** Takes as much as there is room for. */
function fetchAll(pace: Pace, type: string, limit = 1_000): number {
  let taken = 0;
  for (; taken < limit && pace.hasRoom(); taken += 1) pace.enqueue(type);
  return taken;
}

describe('Pace', () => {
  it('holds unknown and slow work for the free slots only', () => {
    expect(fetchAll(new Pace(4), 'unknown')).toBe(4);
    const pace = new Pace(4);
    pace.learn('slow', 10_000);
    expect(fetchAll(pace, 'slow')).toBe(4);
  });

  it('holds no more fast work than its slots do in the window', () => {
    const pace = new Pace(4);
    pace.learn('fast', 5);
    expect(fetchAll(pace, 'fast')).toBe((4 * AHEAD_MS) / 5);
  });

  it('holds a bounded number however fast the work is', () => {
    const pace = new Pace(4);
    pace.learn('instant', 0);
    expect(fetchAll(pace, 'instant')).toBe(256);
  });

  it('fetches nothing behind slots that stay taken', () => {
    const pace = new Pace(2);
    pace.learn('slow', 60_000);
    pace.start('slow');
    pace.start('slow');
    expect(pace.hasRoom()).toBe(false);
    expect(pace.freeSlots).toBe(0);
  });

  it('has room again when work ends, though the mean moved meanwhile', () => {
    const pace = new Pace(1);
    const queued = pace.enqueue('a');
    pace.dequeue(queued);
    const running = pace.start('a');
    expect(pace.hasRoom()).toBe(false);
    pace.learn('a', 1);
    pace.finish(running);
    expect(pace.freeSlots).toBe(1);
    expect(fetchAll(pace, 'a')).toBe(AHEAD_MS);
  });

  it('follows a type that becomes slower, slowly', () => {
    const pace = new Pace(1);
    pace.learn('a', 10);
    pace.learn('a', 110);
    expect(pace.mean('a')).toBeCloseTo(20);
    for (let i = 0; i < 100; i += 1) pace.learn('a', 110);
    expect(pace.mean('a')).toBeCloseTo(110, 0);
  });
});
