import { setTimeout as sleep } from 'node:timers/promises';
import { LocalRuntimeError } from './errors';
import { readStat, residentMiB } from './process-stat';
import type { Settings } from './settings';
import { runningState } from './state';
import { requireRunning, table } from './views';

const PERIOD_MS = 1_000;

interface Usage {
  readonly cpuMs: number;
  readonly rssMiB: number;
}

/** Prints a table of CPU and memory by process: once, or each second until interrupted. */
export async function profile(
  settings: Settings,
  once: boolean,
  print: (text: string) => void,
): Promise<void> {
  if (process.platform !== 'linux') throw new LocalRuntimeError('profile reads /proc, which only Linux has.');
  let before = measure(settings);
  do {
    const startedAt = performance.now();
    await sleep(PERIOD_MS);
    const now = measure(settings);
    const text = render(before, now, performance.now() - startedAt);
    print(once || !process.stdout.isTTY ? text : `\x1b[2J\x1b[H${text}`);
    before = now;
  } while (!once);
}

function measure({ paths }: Settings): Map<string, Usage> {
  const { supervisor, parts } = requireRunning(runningState(paths));
  const processes = [...parts, { name: 'supervisor', pid: supervisor.pid }];
  return new Map(
    processes.flatMap(({ name, pid }) => {
      const stat = pid === undefined ? undefined : readStat(pid);
      return stat ? [[name, { cpuMs: stat.cpuMs, rssMiB: residentMiB(pid!) }]] : [];
    }),
  );
}

function render(before: Map<string, Usage>, now: Map<string, Usage>, elapsedMs: number): string {
  const rows = [...now].map(([name, { cpuMs, rssMiB }]) => {
    // The CPU time of a restarted process begins at zero.
    const usedMs = Math.max(0, cpuMs - (before.get(name)?.cpuMs ?? cpuMs));
    return { name, percent: (100 * usedMs) / elapsedMs, rssMiB };
  });
  const total = {
    name: 'all',
    percent: rows.reduce((sum, row) => sum + row.percent, 0),
    rssMiB: rows.reduce((sum, row) => sum + row.rssMiB, 0),
  };
  const cells = [...rows, total].map(({ name, percent, rssMiB }) => [
    name,
    percent.toFixed(1).padStart(6),
    rssMiB.toFixed(0).padStart(8),
  ]);
  return table([['NAME', ' CPU %', ' RSS MiB'], ...cells]);
}
