import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildStatus } from './child';
import { claimHolder } from './claim';
import { readJson, writeJson } from './json-file';
import type { Check } from './probe';
import type { ProcessId } from './processes';
import type { Paths } from './settings';

/** A process of the fleet and its status. */
export interface FleetPart extends ChildStatus {
  readonly name: string;
  readonly service: string;
  readonly ports: readonly number[];
  readonly ready: Check;
  readonly log: string;
}

/**
 * The state of the fleet, in a file that the supervisor replaces on every change, for the commands to read. `failed` stays
 * after the supervisor has ended, so that `up` can say why.
 */
export interface FleetState {
  readonly supervisor: ProcessId;
  readonly phase: 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';
  readonly failure?: string;
  /** Configuration and build at the start, to recognise changes since. */
  readonly fingerprint: BuildFingerprint;
  readonly api?: string | undefined;
  readonly metrics?: string | undefined;
  readonly parts: readonly FleetPart[];
  readonly externals: readonly { readonly service: string; readonly ready: Check }[];
}

export interface BuildFingerprint {
  /** The hash of each variable's value, which may be a secret. */
  readonly env: Readonly<Record<string, string>>;
  readonly build: string;
}

const stateFile = (paths: Paths): string => join(paths.run, 'state.json');

export function writeState(paths: Paths, state: FleetState): void {
  writeJson(stateFile(paths), state);
}

/** The state as the last supervisor wrote it, dead or alive. */
export function lastState(paths: Paths): FleetState | undefined {
  return readJson<FleetState>(stateFile(paths));
}

/** The state of the running fleet. */
export function runningState(paths: Paths): FleetState | undefined {
  const holder = claimHolder(paths);
  const state = lastState(paths);
  return holder?.role === 'supervisor' && state?.supervisor.pid === holder.pid ? state : undefined;
}

export function forgetState(paths: Paths): void {
  rmSync(stateFile(paths), { force: true });
}
