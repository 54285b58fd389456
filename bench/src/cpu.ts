import { readFileSync } from 'node:fs';
import { BenchError } from './errors';

export interface ServerProcess {
  name: string;
  pid: number;
}

/** The CPU time that a process has used since it began, and its memory now. */
export interface Usage {
  /** User and system time of all its threads, including ended ones. */
  cpuMs: number;
  rssMiB: number;
  /** Its start in ticks of the kernel: the same pid with another start is another process. */
  started: number;
}

/** The unit of times in /proc, 100 per second on every Linux that Node runs on. Figures are exact to 10 ms. */
const TICK_MS = 10;

/** Reads /proc/<pid>/stat. The second field is the program's name in brackets and may hold blanks and brackets. */
export function parseStat(stat: string): { cpuMs: number; started: number } {
  const fromThird = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fromThird[number - 3]);
  return { cpuMs: (field(14) + field(15)) * TICK_MS, started: field(22) };
}

export function usageOf({ name, pid }: ServerProcess): Usage {
  try {
    const rssKiB = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return { ...parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1')), rssMiB: Number(rssKiB) / 1024 };
  } catch {
    throw new BenchError(
      process.platform === 'linux'
        ? `${name} (process ${pid}) has ended.`
        : 'CPU time is read from /proc, which only Linux has.',
    );
  }
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
