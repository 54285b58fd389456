import { finalOutcome, HANDED_BACK, lateEnd, type Outcome } from './outcome';

const outcome = (run: number, status: Outcome['status'], final = true): Outcome =>
  ({ run, status, final }) as Outcome;
const failed = outcome(0, 'failed');
const attempt = outcome(1, 'retrying', false);
const succeeded = outcome(1, 'succeeded');

describe('the outcome that counts', () => {
  test('is the first final one of a run: a later one is superseded', () => {
    const second = outcome(1, 'failed');
    expect(finalOutcome([attempt, succeeded, second])).toBe(succeeded);
  });

  test('is that of the latest run, in whatever order the outcomes come', () => {
    expect(finalOutcome([succeeded, failed])).toBe(succeeded);
  });

  test('is none while a run has only failed attempts, or is younger than all outcomes', () => {
    expect(finalOutcome([attempt])).toBeUndefined();
    expect(finalOutcome([failed, attempt], 1)).toBeUndefined();
    expect(finalOutcome([])).toBeUndefined();
  });
});

const tried = { attempt: 1, error_class: 'transient', message: 'no line' } as Outcome;
const returned = (attempt: number): Outcome => ({ attempt, message: HANDED_BACK }) as Outcome;

describe('a run whose time is up', () => {
  test.each([
    ['its only attempt', 1, undefined, 'attempt 1 left no record: the worker died'],
    ['two attempts', 2, undefined, '2 attempts left no record: the worker died each time'],
    [
      'its second attempt',
      2,
      tried,
      'the last 1 of 2 attempts left no record: the worker died; before: no line',
    ],
    ['an attempt before a hand-back', 1, returned(1), 'attempt 1 left no record: the worker died'],
  ])('has failed if %s left no record, and does not latch its line', (_, attempts, last, why) => {
    expect(lateEnd('demo', attempts, last)).toEqual({
      status: 'failed',
      error_class: 'transient',
      fingerprint: 'vanished:demo',
      message: `${why}; its timeout_ms ended before another attempt`,
    });
  });

  test.each([
    ['was not delivered', 0, undefined, 'not started within its timeout_ms'],
    ['was handed back', 0, returned(0), 'not started within its timeout_ms'],
    ['failed', 1, tried, 'not started again within its timeout_ms after 1 attempt: no line'],
  ])('has expired if it %s', (_, attempts, last, message) => {
    expect(lateEnd('demo', attempts, last)).toEqual({ status: 'expired', error_class: 'capacity', message });
  });
});
