import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalRuntimeError } from './errors';
import { readJson } from './json-file';
import { type ProcessId, identify, isAlive } from './processes';
import type { Paths } from './settings';

/**
 * The right to start and end processes of this TPS_HOME. One process holds it: a supervisor as long as it lives, or `down`
 * and `clean` while they clean up after a killed supervisor. Two concurrent `up` therefore start one fleet, and no command
 * ends processes that another has just started.
 */
export interface Claim extends ProcessId {
  readonly role: 'supervisor' | 'cleanup';
}

const ATTEMPTS = 50;

const claimFile = (paths: Paths): string => join(paths.run, 'claim.json');

/** Takes the claim. @returns the living holder if there is one */
export function takeClaim(paths: Paths, role: Claim['role']): Claim | undefined {
  mkdirSync(paths.run, { recursive: true });
  const file = claimFile(paths);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (createAtomically(file, { ...identifySelf(), role })) return undefined;
    const holder = claimHolder(paths);
    if (holder !== undefined) return holder;
    setAsideStale(file);
  }
  throw new LocalRuntimeError(`${file} changes all the time: wait for the other commands to finish.`);
}

/** The living process that holds the claim. */
export function claimHolder(paths: Paths): Claim | undefined {
  const claim = readJson<Claim>(claimFile(paths));
  return claim !== undefined && isAlive(claim) ? claim : undefined;
}

export function releaseClaim(paths: Paths): void {
  if (claimHolder(paths)?.pid === process.pid) rmSync(claimFile(paths), { force: true });
}

/** link() fails if the name exists, and never shows a half-written file. */
function createAtomically(file: string, claim: Claim): boolean {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, JSON.stringify(claim));
  try {
    return link(own, file);
  } finally {
    rmSync(own, { force: true });
  }
}

/**
 * Moves the file of a dead holder away. rename() succeeds in only one of several processes. If a new claim has replaced the
 * file between reading and renaming, it is put back.
 */
function setAsideStale(file: string): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // another process was faster
  }
  const taken = readJson<Claim>(aside);
  if (taken !== undefined && isAlive(taken)) link(aside, file);
  rmSync(aside, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function identifySelf(): ProcessId {
  const self = identify(process.pid);
  if (self === undefined)
    throw new LocalRuntimeError('Cannot read the start time of this process: is /proc mounted?');
  return self;
}
