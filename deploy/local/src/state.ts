import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildStatus } from './child';
import { claimHolder } from './claim';
import { readJson, writeJson } from './json-file';
import type { Check } from './probe';
import type { ProcessId } from './processes';
import type { Paths } from './settings';

/** What a process of the fleet is and how it fares. */
export interface Part extends ChildStatus {
  readonly name: string;
  readonly service: string;
  readonly ports: readonly number[];
  readonly ready: Check;
  readonly log: string;
}

/**
 * What the supervisor tells the commands, in one file that it replaces whenever something changes.
 * `failed` stays after the supervisor has gone, so that `up` can say why.
 */
export interface FleetState {
  readonly supervisor: ProcessId;
  readonly phase: 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';
  readonly failure?: string;
  /** What it was started with, to tell whether that has changed since. */
  readonly fingerprint: Fingerprint;
  readonly api?: string | undefined;
  readonly metrics?: string | undefined;
  readonly parts: readonly Part[];
  readonly externals: readonly { readonly service: string; readonly ready: Check }[];
}

export interface Fingerprint {
  /** Variable to a hash of its value: values may be secrets. */
  readonly env: Readonly<Record<string, string>>;
  readonly build: string;
}

const stateFile = (paths: Paths): string => join(paths.run, 'state.json');

export function writeState(paths: Paths, state: FleetState): void {
  writeJson(stateFile(paths), state);
}

/** The last word of the last supervisor, dead or alive. */
export function lastState(paths: Paths): FleetState | undefined {
  return readJson<FleetState>(stateFile(paths));
}

/** The state of the fleet that runs now. */
export function runningState(paths: Paths): FleetState | undefined {
  const holder = claimHolder(paths);
  const state = lastState(paths);
  return holder?.role === 'supervisor' && state?.supervisor.pid === holder.pid ? state : undefined;
}

export function forgetState(paths: Paths): void {
  rmSync(stateFile(paths), { force: true });
}
