import { BenchError } from './errors';
import { measureCost, usageOf } from './cpu';

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
