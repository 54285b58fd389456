import type { AndonBoard, LineStatus } from '@tps/contracts';
import { clock } from '../../web/format';
import {
  errorsOf,
  facts,
  linesInOrder,
  linesText,
  sentence,
  stateWord,
  waitingText,
  workingText,
} from '../../web/line-words';

const NOW = Date.parse('2026-01-25T12:00:00Z');
const at = (ms: number): string => new Date(NOW + ms).toISOString();
const line = (given: Partial<LineStatus> = {}): LineStatus => ({
  ...{ colour: 'GREEN', rule: 'within_limits', reason: 'all within limits', since: at(-180_000) },
  ...{ error_rate: 0, p99_ms: 5, processed_5m: 100, failed_5m: 0, judged_from: 20, rate_per_s: 1 },
  ...{ circuit: 'Closed', stopped: false, state: 'running', queue: null, cards: null },
  ...given,
});
const red = { colour: 'RED', rule: 'circuit', reason: 'circuit Open' } as const;

test.each<[string, Partial<LineStatus>, string]>([
  ['all is well', {}, 'Running, all within limits.'],
  [
    '3 of 20 signals',
    { processed_5m: 3, failed_5m: 3, error_rate: 100 },
    'Running; too few to judge (3 of 20).',
  ],
  ['no signal', { processed_5m: 0 }, 'Running; nothing finished in 5 min.'],
  ['an open circuit', { ...red, state: 'stopped' }, 'Stopped; RED for 3 min (circuit).'],
  ['no worker', { ...red, rule: 'no_worker', state: 'no_worker' }, 'No worker; RED for 3 min.'],
  ['a trial', { ...red, colour: 'YELLOW', state: 'trial' }, 'Trial; YELLOW for 3 min (circuit).'],
  ['a stop that the light does not show yet', { state: 'stopped' }, 'Stopped.'],
])('the sentence of a line: %s', (_, given, expected) => {
  expect(sentence(line(given), NOW)).toBe(expected);
});

test('a board of the version before has no state: circuit and stop say it', () => {
  const { state: _none, ...before } = line();
  expect(stateWord(before)).toBe('Running');
  expect(stateWord({ ...before, circuit: 'HalfOpen' })).toBe('Trial');
  expect(stateWord({ ...before, stopped: true })).toBe('Stopped');
});

test.each<[Partial<LineStatus>, string]>([
  [{ processed_5m: 0 }, '–'],
  [{ processed_5m: 3, failed_5m: 3, error_rate: 100 }, '3 of 3 failed'],
  [{ processed_5m: 19, failed_5m: 0 }, '0 of 19 failed'],
  [{ processed_5m: 20, failed_5m: 1, error_rate: 5 }, '5 %'],
])('errors of %j read "%s"', (given, expected) => {
  expect(errorsOf(line(given))).toBe(expected);
});

test('the next trial and the refusals', () => {
  const next = at(42_000);
  expect(facts({ next_trial_at: next, refused_5m: 1_200 }, NOW)).toBe(
    `Next trial in 42 s, at ${clock(next, NOW)}. 1,200 refused in 5 min.`,
  );
  expect(facts({ refused_5m: 0 }, NOW)).toBe('');
});

test('a signal in its backoff waits and does not run', () => {
  const counts = { queued: 2, held: 0, retrying: 1, in_flight: 6, running: 4 };
  const queue = { waiting: 2, in_progress: 7, held: 0, counts };
  expect([waitingText(queue), workingText(queue)]).toEqual(['2 queued, 1 retrying', '4 + 2 next']);
  const idle = { ...counts, queued: 0, retrying: 1, in_flight: 0, running: 0 };
  expect([waitingText({ ...queue, counts: idle }), workingText({ ...queue, counts: idle })]).toEqual([
    '1 retrying',
    '0',
  ]);
  expect([waitingText(null), workingText(null)]).toEqual(['–', '–']);
});

test('RED comes first, then YELLOW, then what has work, then the idle lines', () => {
  const queue = { waiting: 1, in_progress: 0, held: 0 };
  const lines: AndonBoard['lines'] = {
    a: line({ processed_5m: 0 }),
    b: line(),
    c: line({ colour: 'YELLOW' }),
    d: line(red),
    e: line({ processed_5m: 0, queue }),
    f: line(red),
  };
  expect(linesInOrder(lines)).toEqual(['d', 'f', 'c', 'b', 'e', 'a']);
});

test.each<[Partial<LineStatus>[], string]>([
  [[], 'no lines'],
  [[{}], 'the line runs'],
  [[{}, {}], 'all 2 lines run'],
  [[{}, { state: 'stopped' }, { state: 'no_worker' }], '3 lines: 1 stopped, 1 without workers'],
])('the lines %j stand as "%s"', (lines, expected) => {
  expect(linesText(lines.map(line))).toBe(expected);
});

test('the clock has 24 hours, and the date if it is not today', () => {
  const noon = new Date(2026, 0, 25, 15, 4, 5);
  expect(clock(noon.toISOString(), noon.getTime())).toBe('15:04:05');
  expect(clock(new Date(2026, 0, 24, 0, 4, 5).toISOString(), noon.getTime())).toBe('24 Jan 00:04:05');
});
