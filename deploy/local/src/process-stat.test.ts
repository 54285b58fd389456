import { parseStat, peakMiB, readStat, residentMiB } from './process-stat';

const REST = 'S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 98765 20';

test.each(['node', 'a) (b', '(sd-pam)'])('the name %j may contain blanks and brackets', (name) => {
  expect(parseStat(`42 (${name}) ${REST}`)).toEqual({ state: 'S', cpuMs: 3_000, started: 98_765 });
});

const hasProc = process.platform === 'linux';

(hasProc ? test : test.skip)('a living process has a state and memory, an ended one has none', () => {
  expect(readStat(process.pid)).toMatchObject({ state: 'R' });
  expect(residentMiB(process.pid)).toBeGreaterThan(10);
  expect(peakMiB(process.pid)).toBeGreaterThan(10);
  expect([readStat(2 ** 22 + 1), residentMiB(2 ** 22 + 1), peakMiB(2 ** 22 + 1)]).toEqual([undefined, 0, 0]);
});
