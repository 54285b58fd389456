import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalRuntimeError } from './errors';
import { lastLines, logFile, readRange, sizeOf } from './log-files';
import type { Paths, Settings } from './settings';

const LINES_BEFORE = 50;
const POLL_MS = 250;
/** The most to read at once from one log. */
const MAX_READ_BYTES = 1024 * 1024;

export interface LogsOptions {
  /** `kanban` for all replicas of a service, `kanban-1` for one, undefined for everything. */
  readonly name?: string | undefined;
  readonly follow: boolean;
}

/** Prints the last lines of the logs, then new lines until interrupted. */
export async function logs(
  { paths }: Settings,
  options: LogsOptions,
  print: (line: string) => void,
): Promise<void> {
  const all = list(paths);
  // The backup is optional, so a missing one is no error.
  if (options.name === 'rabbitmq' && all.length > 0 && !all.some((name) => matches(name, 'rabbitmq'))) {
    return print(
      'This fleet runs no RabbitMQ: it is not installed, it is off, or the fleet uses one elsewhere.',
    );
  }
  const offsets = new Map<string, number>();
  const isPrefixed = select(paths, options.name).length > 1;
  const printLine = (name: string, line: string): void => print(isPrefixed ? `${name} | ${line}` : line);

  for (const name of select(paths, options.name)) {
    const size = sizeOf(logFile(paths, name));
    for (const line of lastLines(logFile(paths, name), LINES_BEFORE)) printLine(name, line);
    offsets.set(name, size);
  }
  while (options.follow) {
    await sleep(POLL_MS);
    for (const name of list(paths).filter((candidate) => matches(candidate, options.name))) {
      const { lines, offset } = added(logFile(paths, name), offsets.get(name) ?? 0);
      offsets.set(name, offset);
      for (const line of lines) printLine(name, line);
    }
  }
}

/** Whole lines written since `offset`. A log that became shorter was rotated, and is read from its start. */
function added(file: string, offset: number): { lines: string[]; offset: number } {
  const size = sizeOf(file);
  const from = size < offset ? 0 : offset;
  const text = readRange(file, from, Math.min(size, from + MAX_READ_BYTES));
  const end = text.lastIndexOf('\n') + 1;
  const whole = text.slice(0, end);
  return { lines: whole.split('\n').slice(0, -1), offset: from + Buffer.byteLength(whole) };
}

function select(paths: Paths, wanted: string | undefined): string[] {
  const all = list(paths);
  const names = all.filter((name) => matches(name, wanted));
  if (names.length > 0) return names;
  if (all.length === 0)
    throw new LocalRuntimeError(`There are no logs in ${paths.logs} yet: start the fleet with \`make up\`.`);
  throw new LocalRuntimeError(`There is no log "${wanted}". The logs are: ${all.join(', ')}.`);
}

/** Docker Compose calls the gateway tps-system, and `make logs-system` shows its log. */
function matches(name: string, wanted: string | undefined): boolean {
  const asked = wanted === 'system' || wanted === 'tps-system' ? 'gateway' : wanted;
  return asked === undefined || name === asked || name.replace(/-\d+$/, '') === asked;
}

function list(paths: Paths): string[] {
  try {
    const files = readdirSync(paths.logs).filter((file) => file.endsWith('.log'));
    return files.map((file) => file.replace(/\.log$/, '')).sort();
  } catch {
    return [];
  }
}
