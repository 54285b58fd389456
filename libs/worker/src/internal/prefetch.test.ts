import { PREFETCH_MS, Prefetch } from './prefetch';

/** Fetches as much as there is room for. */
function fetchAll(prefetch: Prefetch, type: string, limit = 1_000): number {
  let taken = 0;
  for (; taken < limit && prefetch.hasRoom(); taken += 1) prefetch.enqueue(type);
  return taken;
}

describe('Prefetch', () => {
  it('fetches unknown and slow work for the free slots only', () => {
    expect(fetchAll(new Prefetch(4), 'unknown')).toBe(4);
    const prefetch = new Prefetch(4);
    prefetch.observe('slow', 10_000);
    expect(fetchAll(prefetch, 'slow')).toBe(4);
  });

  it('fetches no more fast work than its slots do in the window', () => {
    const prefetch = new Prefetch(4);
    prefetch.observe('fast', 5);
    expect(fetchAll(prefetch, 'fast')).toBe((4 * PREFETCH_MS) / 5);
  });

  it('fetches a bounded number, however fast the work is', () => {
    const prefetch = new Prefetch(4);
    prefetch.observe('instant', 0);
    expect(fetchAll(prefetch, 'instant')).toBe(256);
  });

  it('fetches nothing behind slots that stay taken', () => {
    const prefetch = new Prefetch(2);
    prefetch.observe('slow', 60_000);
    prefetch.start('slow');
    prefetch.start('slow');
    expect(prefetch.hasRoom()).toBe(false);
    expect(prefetch.freeSlots).toBe(0);
  });

  it('has room again when work ends, although the mean changed meanwhile', () => {
    const prefetch = new Prefetch(1);
    const queued = prefetch.enqueue('a');
    prefetch.dequeue(queued);
    const running = prefetch.start('a');
    expect(prefetch.hasRoom()).toBe(false);
    prefetch.observe('a', 1);
    prefetch.finish(running);
    expect(prefetch.freeSlots).toBe(1);
    expect(fetchAll(prefetch, 'a')).toBe(PREFETCH_MS);
  });

  it('adapts slowly to a type that becomes slower', () => {
    const prefetch = new Prefetch(1);
    prefetch.observe('a', 10);
    prefetch.observe('a', 110);
    expect(prefetch.mean('a')).toBeCloseTo(20);
    for (let i = 0; i < 100; i += 1) prefetch.observe('a', 110);
    expect(prefetch.mean('a')).toBeCloseTo(110, 0);
  });
});
