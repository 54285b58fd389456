import { finalOutcome, type Outcome } from './outcome';

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
