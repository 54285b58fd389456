import { sampleOutcome } from '@tps/testkit';
import { latestRun } from './signal-lookup';

const failed = sampleOutcome({ run: 0, status: 'failed' });
const succeeded = sampleOutcome({ run: 1, status: 'succeeded' });

test('the latest run is that of the queued signal when it is ahead of the records', () => {
  const signal = { run: 2 } as never;
  expect(latestRun({ outcomes: [failed, succeeded], found: null })).toBe(1);
  expect(latestRun({ outcomes: [failed], found: { signal } as never })).toBe(2);
  expect(latestRun({ outcomes: [], found: null })).toBe(0);
});
