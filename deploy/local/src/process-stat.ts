import { readFileSync } from 'node:fs';

/** The unit of times in /proc, 100 per second on every Linux that Node runs on. Figures are exact to 10 ms. */
const TICK_MS = 10;

export interface ProcessStat {
  /** The state as one letter; `Z` is a zombie. */
  readonly state: string;
  /** User and system time of all its threads, including ended ones. */
  readonly cpuMs: number;
  /** Its start in ticks since boot: the same pid with another start is another process. */
  readonly started: number;
}

/** Reads `/proc/<pid>/stat`. Undefined when the process has ended, and on systems without /proc. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = read(pid, 'stat');
  return text === undefined ? undefined : parseStat(text);
}

/** @param text has the name of the program in brackets as its second field, which may contain blanks and brackets */
export function parseStat(text: string): ProcessStat {
  const fromThird = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): string => fromThird[number - 3] ?? '';
  return {
    state: field(3),
    cpuMs: (Number(field(14)) + Number(field(15))) * TICK_MS,
    started: Number(field(22)),
  };
}

/** The resident memory of a process, in MiB; 0 when it has ended. */
export function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(read(pid, 'status') ?? '')?.[1] ?? 0) / 1024;
}

/** The highest resident memory that a process has had, in MiB; 0 when it has ended. */
export function peakMiB(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(read(pid, 'status') ?? '')?.[1] ?? 0) / 1024;
}

function read(pid: number, file: 'stat' | 'status'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return undefined;
  }
}
