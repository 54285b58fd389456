import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeJson } from './json-file';
import type { Paths } from './settings';
import { readStat } from './process-stat';
import { waitFor } from './wait';

/** A process. The kernel reuses pids, so only the pid together with the start time identifies it. */
export interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

/** Time for the processes of a dead supervisor to end by themselves. */
const LEFTOVER_LIMIT_MS = 15_000;
const KILL_LIMIT_MS = 5_000;

/** These end last, because services release their work through them. */
const BROKERS = /^(nats|rabbitmq|epmd)-/;

/** The process that has this pid now; undefined when it has ended or is a zombie. */
export function identify(pid: number): ProcessId | undefined {
  const started = process.platform === 'linux' ? startedOnLinux(pid) : startedByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.started === id.started;
}

/** Signals the process and the group it leads. @returns false when it has ended */
function signalGroup(id: ProcessId, signal: NodeJS.Signals): boolean {
  return isAlive(id) && killGroup(id.pid, signal);
}

/** Signals a group, also when its leader has ended. @returns false when nothing of it is left */
export function killGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function startedOnLinux(pid: number): string | undefined {
  const stat = readStat(pid);
  const isRunning = stat !== undefined && stat.state !== 'Z' && stat.state !== 'X';
  return isRunning ? `${bootId()}:${stat.started}` : undefined;
}

/** Start times count from boot, so after a reboot the same pid could have the same start time. */
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

/** Records a started process, so that it can be ended after the supervisor was killed. */
export function recordProcess(paths: Paths, name: string, id: ProcessId): void {
  mkdirSync(recordsIn(paths), { recursive: true });
  writeJson(join(recordsIn(paths), `${name}.json`), id);
}

export function forgetProcess(paths: Paths, name: string): void {
  rmSync(join(recordsIn(paths), `${name}.json`), { force: true });
}

/** Ends the processes of a dead supervisor, services before brokers. @returns their names */
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
  const haveEnded = (): boolean => !ids.some(isAlive);
  for (const id of ids) {
    signalGroup(id, 'SIGTERM');
    signalGroup(id, 'SIGCONT'); // a frozen process could not act on SIGTERM
  }
  if (await waitFor(haveEnded, LEFTOVER_LIMIT_MS)) return;
  for (const id of ids) signalGroup(id, 'SIGKILL');
  await waitFor(haveEnded, KILL_LIMIT_MS);
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
