import type { Colour } from '@tps/contracts';
import { advance, type Light } from './lights';

const light = (colour: Colour): Light => ({ colour, rule: 'old', reason: 'old', sinceMs: 1, better: 0 });
const run = (start: Light, ...colours: Colour[]): Light =>
  colours.reduce<Light>(
    (now, colour, i) => advance(now, { colour, rule: 'new', reason: `${i}` }, 10 + i),
    start,
  );

test('it gets worse at once', () => {
  expect(run(light('GREEN'), 'RED')).toEqual({
    colour: 'RED',
    rule: 'new',
    reason: '0',
    sinceMs: 10,
    better: 0,
  });
});

test('it gets better only when two evaluations in a row say so', () => {
  expect(run(light('RED'), 'GREEN')).toMatchObject({ colour: 'RED', rule: 'old', sinceMs: 1 });
  expect(run(light('RED'), 'GREEN', 'RED', 'GREEN').colour).toBe('RED');
  expect(run(light('RED'), 'GREEN', 'GREEN')).toMatchObject({ colour: 'GREEN', sinceMs: 11 });
  expect(run(light('RED'), 'GREEN', 'YELLOW')).toMatchObject({ colour: 'YELLOW', sinceMs: 11 });
});

test('an unchanged colour keeps its time and tells the latest reason', () => {
  expect(run(light('RED'), 'RED', 'RED')).toMatchObject({
    colour: 'RED',
    rule: 'new',
    reason: '1',
    sinceMs: 1,
  });
});
