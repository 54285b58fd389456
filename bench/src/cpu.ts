import { readFileSync } from 'node:fs';
import { BenchError } from './errors';

export interface ServerProcess {
  name: string;
  pid: number;
}

/** What a process has used since it began. */
export interface Usage {
  /** User and system time of all its threads, those that have ended included. */
  cpuMs: number;
  rssMiB: number;
  /** When it began, in the kernel's ticks: the same pid with another start is another process. */
  started: number;
}

/** The unit of times in /proc: 100 a second on every Linux that Node runs on. So a figure is exact to 10 ms. */
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
        ? `${name} (process ${pid}) is gone.`
        : 'CPU is read from /proc, which only Linux has.',
    );
  }
}

export interface Cost {
  /** Milliseconds of CPU by process, in the order given. */
  cpuMs: Record<string, number>;
  totalCpuMs: number;
  /** Memory of all together, at the end. */
  rssMiB: number;
}

/** Starts to measure; the returned function says what was used since. */
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
