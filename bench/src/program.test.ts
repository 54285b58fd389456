import { BenchError } from './errors';
import { wholeNumber } from './program';

test.each(['1', '20'])('wholeNumber accepts the bounds: %s', (value) => {
  expect(wholeNumber('--rounds', value, [1, 20])).toBe(Number(value));
});

test.each(['0', '21', '1.5', 'many', '-1'])('wholeNumber refuses %s and names what is allowed', (value) => {
  expect(() => wholeNumber('--rounds', value, [1, 20])).toThrow(
    new BenchError(`--rounds ${value} is not allowed: must be a whole number from 1 to 20`),
  );
});
