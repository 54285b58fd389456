import { BenchError } from './errors';
import { measureCost, parseStat, usageOf } from './cpu';

describe('parseStat', () => {
  const rest = '1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 98765 20';

  test('adds user and system time, in ticks of 10 ms', () => {
    expect(parseStat(`42 (node) S ${rest}`)).toEqual({ cpuMs: 3_000, started: 98_765 });
  });

  test('is not misled by blanks and brackets in the name', () => {
    expect(parseStat(`42 (a) (b) S ${rest}`)).toEqual({ cpuMs: 3_000, started: 98_765 });
  });
});

const linux = process.platform === 'linux';

(linux ? describe : describe.skip)(`measureCost${linux ? '' : ': skipped, no /proc'}`, () => {
  const self = { name: 'jest', pid: process.pid };

  test('sees the time that this process burns', () => {
    const stop = measureCost([self]);
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs);
    const { cpuMs, totalCpuMs, rssMiB } = stop();
    expect(totalCpuMs).toBeGreaterThanOrEqual(50);
    expect(cpuMs).toEqual({ jest: totalCpuMs });
    expect(rssMiB).toBeGreaterThan(10);
  });

  test('names a process that is gone', () => {
    expect(() => usageOf({ name: 'kanban-1', pid: 2 ** 22 + 1 })).toThrow(BenchError);
  });
});
