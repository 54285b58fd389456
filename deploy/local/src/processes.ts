import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeJson } from './json-file';
import type { Paths } from './settings';
import { waitFor } from './wait';

/** A pid alone does not name a process: the kernel hands pids out again. With its start time it does. */
export interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

/** How long what a dead supervisor left behind may take to end by itself. */
const LEFTOVER_LIMIT_MS = 15_000;
const KILL_LIMIT_MS = 5_000;

/** These end last: the services hand their work back to them. */
const BROKERS = /^(nats|rabbitmq|epmd)-/;

/** The process that has this pid now; nothing when it is gone or a zombie. */
export function identify(pid: number): ProcessId | undefined {
  const started = process.platform === 'linux' ? startedOnLinux(pid) : startedByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.started === id.started;
}

/** Signals the process and the group it leads; false when it is gone. */
function signalGroup(id: ProcessId, signal: NodeJS.Signals): boolean {
  return isAlive(id) && killGroup(id.pid, signal);
}

/** For a leader that has just ended: what is left of its group goes too. */
export function killGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Field 3 is the state, field 22 the start in clock ticks since boot; the name before them may hold spaces. */
function startedOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${bootId()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** Ticks count from boot, so after a reboot the same pid and ticks could meet again. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function startedByPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 2_000,
    }).trim();
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}

const recordsIn = (paths: Paths): string => join(paths.run, 'pids');

/** Remembers a process we started, so that it can be ended even if the supervisor is killed. */
export function recordProcess(paths: Paths, name: string, id: ProcessId): void {
  mkdirSync(recordsIn(paths), { recursive: true });
  writeJson(join(recordsIn(paths), `${name}.json`), id);
}

export function forgetProcess(paths: Paths, name: string): void {
  rmSync(join(recordsIn(paths), `${name}.json`), { force: true });
}

/** Ends what a dead supervisor left running, services before brokers. Answers the names it ended. */
export async function endLeftovers(paths: Paths): Promise<string[]> {
  const leftovers = readRecords(paths);
  const alive = leftovers.filter(({ id }) => isAlive(id));
  for (const isBroker of [false, true]) {
    await endAll(alive.filter(({ name }) => BROKERS.test(name) === isBroker).map(({ id }) => id));
  }
  for (const { name } of leftovers) forgetProcess(paths, name);
  return alive.map(({ name }) => name);
}

async function endAll(ids: readonly ProcessId[]): Promise<void> {
  const allGone = (): boolean => !ids.some(isAlive);
  for (const id of ids) {
    signalGroup(id, 'SIGTERM');
    signalGroup(id, 'SIGCONT'); // a stopped process would not act on the first signal
  }
  if (await waitFor(allGone, LEFTOVER_LIMIT_MS)) return;
  for (const id of ids) signalGroup(id, 'SIGKILL');
  await waitFor(allGone, KILL_LIMIT_MS);
}

function readRecords(paths: Paths): { name: string; id: ProcessId }[] {
  return listRecords(paths).flatMap((file) => {
    const id = readJson<ProcessId>(join(recordsIn(paths), file));
    return id === undefined ? [] : [{ name: file.replace(/\.json$/, ''), id }];
  });
}

function listRecords(paths: Paths): string[] {
  try {
    return readdirSync(recordsIn(paths)).filter((file) => file.endsWith('.json'));
  } catch {
    return [];
  }
}
