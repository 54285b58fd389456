import { BenchError } from './errors';
import { measureCost, parseStat, usageOf } from './cpu';

describe('parseStat', () => {
  const rest = '1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 98765 20';

  test('adds user and system time, in ticks of 10 ms', () => {
    expect(parseStat(`42 (node) S ${rest}`)).toEqual({ cpuMs: 3_000, started: 98_765 });
  });

  test('allows blanks and brackets in the name', () => {
    expect(parseStat(`42 (a) (b) S ${rest}`)).toEqual({ cpuMs: 3_000, started: 98_765 });
  });
});

const linux = process.platform === 'linux';

(linux ? describe : describe.skip)(`measureCost${linux ? '' : ': skipped, no /proc'}`, () => {
  const self = { name: 'jest', pid: process.pid };

  test('measures the CPU time that this process uses', () => {
    const stop = measureCost([self]);
    const before = process.cpuUsage();
    while (process.cpuUsage(before).user < 100_000);
    const { cpuMs, totalCpuMs, rssMiB } = stop();
    expect(totalCpuMs).toBeGreaterThanOrEqual(80);
    expect(cpuMs).toEqual({ jest: totalCpuMs });
    expect(rssMiB).toBeGreaterThan(10);
  });

  test('a process that has ended is named in the error', () => {
    expect(() => usageOf({ name: 'kanban-1', pid: 2 ** 22 + 1 })).toThrow(BenchError);
  });
});
