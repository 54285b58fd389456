import type { CircuitState } from './circuit';
import { type LineState, stateOfLine } from './line-state';

test.each<[CircuitState, stopped: boolean, served: boolean, LineState]>([
  ['Closed', false, true, 'running'],
  ['Closed', false, false, 'no_worker'],
  ['Closed', true, true, 'stopped'],
  ['Closed', true, false, 'stopped'],
  ['HalfOpen', false, true, 'trial'],
  ['HalfOpen', false, false, 'no_worker'],
  ['HalfOpen', true, true, 'stopped'],
  ['HalfOpen', true, false, 'stopped'],
  ['Open', false, true, 'stopped'],
  ['Open', false, false, 'stopped'],
  ['Open', true, true, 'stopped'],
  ['Open', true, false, 'stopped'],
])('circuit %s, stopped by people: %s, served: %s: the line is "%s"', (circuit, stopped, served, word) => {
  expect(stateOfLine({ circuit, stopped, served })).toBe(word);
});
