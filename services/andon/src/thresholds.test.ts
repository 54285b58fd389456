import { colourOf } from './thresholds';

const LIMITS = { yellow: 10, red: 20 };
const shown = (colour: 'GREEN' | 'YELLOW' | 'RED', rule = 'p99') => ({ colour, rule });

test.each<[value: number, shown: ReturnType<typeof shown> | undefined, colour: string | undefined]>([
  [9.9, undefined, undefined],
  [10, undefined, 'YELLOW'],
  [20, undefined, 'YELLOW'],
  [20.1, undefined, 'RED'],
  // The colour of this rule stays until the value is a fifth below its limit.
  [8, shown('YELLOW'), 'YELLOW'],
  [7.9, shown('YELLOW'), undefined],
  [16.1, shown('RED'), 'RED'],
  [16, shown('RED'), 'YELLOW'],
  [7.9, shown('RED'), undefined],
  // YELLOW makes RED no easier to reach.
  [16.1, shown('YELLOW'), 'YELLOW'],
  // The colour of another rule is no reason to keep this one.
  [9.9, shown('YELLOW', 'error_rate'), undefined],
  [16.1, shown('RED', 'error_rate'), 'YELLOW'],
  [9.9, shown('GREEN'), undefined],
])('%d under %j gives %s', (value, light, colour) => {
  expect(colourOf(value, LIMITS, { rule: 'p99', shown: light })).toBe(colour);
});
