import { readStat, residentMiB } from '@tps/local/process-stat';
import { BenchError } from './errors';

export interface ServerProcess {
  name: string;
  pid: number;
}

/** The CPU time that a process has used since it began, and its memory now. */
interface Usage {
  /** User and system time of all its threads, including ended ones. */
  cpuMs: number;
  rssMiB: number;
  /** Its start in ticks of the kernel: the same pid with another start is another process. */
  started: number;
}

/** @throws BenchError when the process has ended, and on systems other than Linux */
export function usageOf({ name, pid }: ServerProcess): Usage {
  const stat = readStat(pid);
  if (stat) return { cpuMs: stat.cpuMs, started: stat.started, rssMiB: residentMiB(pid) };
  throw new BenchError(
    process.platform === 'linux'
      ? `${name} (process ${pid}) has ended.`
      : 'CPU time is read from /proc, which only Linux has.',
  );
}

export interface Cost {
  /** Milliseconds of CPU by process, in the order given. */
  cpuMs: Record<string, number>;
  totalCpuMs: number;
  /** Memory of all processes, at the end. */
  rssMiB: number;
}

/** Starts to measure. The returned function stops and returns the cost since. */
export function measureCost(processes: readonly ServerProcess[]): () => Cost {
  const before = processes.map(usageOf);
  return () => {
    const after = processes.map(usageOf);
    const used = processes.map(({ name }, i) => {
      const [was, is] = [before[i]!, after[i]!];
      if (was.started !== is.started) throw new BenchError(`${name} was restarted while it was measured.`);
      return [name, is.cpuMs - was.cpuMs] as const;
    });
    return {
      cpuMs: Object.fromEntries(used),
      totalCpuMs: used.reduce((sum, [, ms]) => sum + ms, 0),
      rssMiB: after.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
    };
  };
}
