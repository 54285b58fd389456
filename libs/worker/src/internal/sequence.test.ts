import { CLASS_WEIGHTS, type Priority } from '@tps/contracts';
import { LevelSequence, SmoothRoundRobin } from './sequence';

/** The largest deviation of any key's count from its share, over all prefixes. */
function worstPrefix(picks: readonly string[], shares: Readonly<Record<string, number>>): number {
  const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const counts: Record<string, number> = {};
  let worst = 0;
  picks.forEach((key, i) => {
    counts[key] = (counts[key] ?? 0) + 1;
    for (const [name, share] of Object.entries(shares)) {
      worst = Math.max(worst, Math.abs((counts[name] ?? 0) - ((i + 1) * share) / total));
    }
  });
  return worst;
}

function take(sequence: LevelSequence, count: number, types: Partial<Record<Priority, string[]>>): string[] {
  const available = new Map(
    Object.entries(types).map(([priority, names]) => [Number(priority) as Priority, names]),
  );
  return Array.from({ length: count }, () => sequence.next(available)!.lane);
}

describe('SmoothRoundRobin', () => {
  it('spreads 3:1:1 evenly instead of sending blocks', () => {
    const weights: Record<string, number> = { a: 300, b: 100, c: 100 };
    const order = new SmoothRoundRobin<string>();
    const picks = Array.from({ length: 50 }, () => order.pick(['a', 'b', 'c'], (key) => weights[key]!)!);
    expect(picks.slice(0, 5).join('')).toBe('abaca');
    expect(worstPrefix(picks, weights)).toBeLessThan(1);
  });

  it('gives a key no credit for its absence', () => {
    const order = new SmoothRoundRobin<string>();
    const even = (): number => 1;
    for (let i = 0; i < 100; i += 1) order.pick(['a'], even);
    const picks = Array.from({ length: 10 }, () => order.pick(['a', 'b'], even));
    expect(picks.filter((key) => key === 'b')).toHaveLength(5);
  });

  it('picks nothing if there is nothing', () => {
    expect(new SmoothRoundRobin<string>().pick([], () => 1)).toBeUndefined();
  });
});

describe('LevelSequence', () => {
  it('keeps 8:4:2:1 over the priority classes in every prefix', () => {
    const picks = take(new LevelSequence(), 150, { 1: ['x'], 2: ['x'], 3: ['x'], 4: ['x'] });
    const shares = Object.fromEntries(Object.entries(CLASS_WEIGHTS).map(([p, w]) => [`x_${p}`, w]));
    expect(worstPrefix(picks, shares)).toBeLessThan(1.5);
    const first = picks.slice(0, 15);
    expect([1, 2, 3, 4].map((p) => first.filter((lane) => lane === `x_${p}`).length)).toEqual([8, 4, 2, 1]);
  });

  it('follows the class weights of the schedule; a class without a positive one keeps its default', () => {
    const sequence = new LevelSequence();
    const types = { 1: ['x'], 2: ['x'], 3: ['x'], 4: ['x'] };
    sequence.setSchedule({ classes: { 1: 1, 2: 0, 3: -1 }, demand: {} });
    expect(worstPrefix(take(sequence, 160, types), { x_1: 1, x_2: 4, x_3: 2, x_4: 1 })).toBeLessThan(1.5);
    sequence.setSchedule(undefined);
    expect(worstPrefix(take(sequence, 150, types), { x_1: 8, x_2: 4, x_3: 2, x_4: 1 })).toBeLessThan(1.5);
  });

  it('shares a class by demand, and equally while no demand is known', () => {
    const sequence = new LevelSequence();
    const even = take(sequence, 9, { 3: ['a', 'b', 'c'] });
    expect(worstPrefix(even, { a_3: 1, b_3: 1, c_3: 1 })).toBeLessThan(1);
    sequence.setSchedule({ classes: {}, demand: { a: 3, b: 1, c: 1 } });
    expect(worstPrefix(take(sequence, 100, { 3: ['a', 'b', 'c'] }), { a_3: 3, b_3: 1, c_3: 1 })).toBeLessThan(
      1.5,
    );
  });

  it('gives everything to the only class, and counts places', () => {
    const sequence = new LevelSequence();
    expect(new Set(take(sequence, 20, { 4: ['x'] }))).toEqual(new Set(['x_4']));
    expect(sequence.place).toBe(20);
    expect(sequence.next(new Map())).toBeNull();
    expect(sequence.place).toBe(20);
  });
});
