import { sampleOutcome } from '@tps/testkit';
import { finalOutcome, latestRun } from './signal-lookup';

const failed = sampleOutcome({ run: 0, status: 'failed' });
const attempt = sampleOutcome({ run: 1, status: 'retrying', final: false });
const succeeded = sampleOutcome({ run: 1, status: 'succeeded' });

describe('the outcome that counts', () => {
  test('is the first final one of a run: a later one is superseded', () => {
    const second = sampleOutcome({ run: 1, status: 'failed' });
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

test('the latest run is that of the queued signal when it is ahead of the records', () => {
  const signal = { run: 2 } as never;
  expect(latestRun({ outcomes: [failed, succeeded], found: null })).toBe(1);
  expect(latestRun({ outcomes: [failed], found: { signal } as never })).toBe(2);
  expect(latestRun({ outcomes: [], found: null })).toBe(0);
});
