import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalRuntimeError } from './errors';
import { readJson } from './json-file';
import { type ProcessId, identify, isAlive } from './processes';
import type { Paths } from './settings';

/**
 * Whoever holds the claim may start and end processes of this TPS_HOME and nobody else: a supervisor
 * for as long as it lives, `down` and `clean` while they tidy up after one that was killed. So two
 * `up` at once start one fleet, and no command ends what another has just started.
 */
export interface Claim extends ProcessId {
  readonly role: 'supervisor' | 'cleanup';
}

const ATTEMPTS = 50;

const claimFile = (paths: Paths): string => join(paths.run, 'claim.json');

/** Takes the claim. Answers who has it when it is not ours to take. */
export function takeClaim(paths: Paths, role: Claim['role']): Claim | undefined {
  mkdirSync(paths.run, { recursive: true });
  const file = claimFile(paths);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (createWhole(file, { ...identifySelf(), role })) return undefined;
    const holder = claimHolder(paths);
    if (holder !== undefined) return holder;
    setAsideStale(file);
  }
  throw new LocalRuntimeError(`${file} keeps changing hands: wait for the other commands to finish.`);
}

/** The living process that holds the claim. */
export function claimHolder(paths: Paths): Claim | undefined {
  const claim = readJson<Claim>(claimFile(paths));
  return claim !== undefined && isAlive(claim) ? claim : undefined;
}

export function releaseClaim(paths: Paths): void {
  if (claimHolder(paths)?.pid === process.pid) rmSync(claimFile(paths), { force: true });
}

/** link() fails if the name exists and never shows a half-written file. */
function createWhole(file: string, claim: Claim): boolean {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, JSON.stringify(claim));
  try {
    return link(own, file);
  } finally {
    rmSync(own, { force: true });
  }
}

/**
 * Of several who find the same dead holder, rename() lets one have its file. If a new claim took its
 * place between our look and the rename, it goes back.
 */
function setAsideStale(file: string): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // somebody else was faster
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
  if (self === undefined) throw new LocalRuntimeError('Cannot read the own start time: is /proc mounted?');
  return self;
}
