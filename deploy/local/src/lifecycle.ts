import { spawn } from 'node:child_process';
import { closeSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { claimHolder, releaseClaim, takeClaim } from './claim';
import { LocalRuntimeError } from './errors';
import { differences, fingerprintOf } from './build-fingerprint';
import { lastLines, logFile, openLog } from './log-files';
import { endLeftovers, isAlive } from './processes';
import { type Readiness, probeAll, describeUnready } from './readiness';
import type { Paths, Settings } from './settings';
import { type FleetState, forgetState, lastState, runningState } from './state';
import { SUPERVISOR_EXIT } from './supervisor';
import { waitFor } from './wait';

/** The longest time for a whole fleet to become ready. */
const UP_LIMIT_MS = 90_000;
/** Stop waiting for a part that ended this often in a row. */
const MAX_CONSECUTIVE_ENDS = 4;
/** Ten groups, each with at most 15 s to end and 5 s to be killed. */
const DOWN_LIMIT_MS = 210_000;
const CLAIM_LIMIT_MS = 30_000;
const POLL_MS = 150;

type Print = (line: string) => void;

/** Starts the fleet unless it runs, and returns when every part is ready. */
export async function up(settings: Settings, print: Print): Promise<void> {
  await untilNotStopping(settings);
  const running = runningState(settings.paths);
  if (running === undefined) {
    await launch(settings, print);
    await reportReady(settings, print);
  } else {
    announceRunning(settings, running, print);
    await untilReady(settings, () => undefined);
    await printAddresses(settings, print);
  }
}

/** Waits until every part of a starting fleet is ready, then prints the addresses. */
export async function reportReady(settings: Settings, print: Print): Promise<void> {
  await untilReady(settings, (name) => print(`  ${name} is ready`));
  await printAddresses(settings, print);
}

function announceRunning(settings: Settings, { supervisor, fingerprint }: FleetState, print: Print): void {
  print(`The fleet is already running (supervisor ${supervisor.pid}).`);
  const changed = differences(fingerprint, fingerprintOf(settings));
  if (changed.length > 0) print(`But ${changed.join(', and ')}: \`make restart\` applies it.`);
}

/** Starts a supervisor that outlives this command, or uses one that another command has just started. */
async function launch({ paths, env }: Settings, print: Print): Promise<void> {
  const isCleanedUp = (): boolean => claimHolder(paths)?.role !== 'cleanup';
  if (!(await waitFor(isCleanedUp, CLAIM_LIMIT_MS))) {
    throw new LocalRuntimeError(
      `Process ${claimHolder(paths)?.pid} is still cleaning up ${paths.home}: try again later.`,
    );
  }
  print('Starting the fleet ...');
  const log = openLog(paths, 'supervisor');
  const daemon = spawn(process.execPath, ['--enable-source-maps', join(__dirname, 'cli.js'), 'supervise'], {
    cwd: paths.root,
    env: { ...env, TPS_ROOT: paths.root },
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  daemon.unref();
  const hasDied = (): boolean =>
    daemon.signalCode !== null ||
    (daemon.exitCode !== null && daemon.exitCode !== SUPERVISOR_EXIT.alreadyRunning);
  const hasBegun = await waitFor(() => hasDied() || runningState(paths) !== undefined, CLAIM_LIMIT_MS);
  if (hasBegun && !hasDied()) return;
  const last = lastState(paths);
  throw last?.supervisor.pid === daemon.pid ? whyItEnded(paths, last) : endedUnexpectedly(paths);
}

async function untilReady(settings: Settings, onReady: (name: string) => void): Promise<void> {
  const seen = new Set<string>();
  const isDone = async (): Promise<boolean> => {
    const { phase, ...state } = await currentState(settings);
    const parts = await probeAll(state);
    for (const { name } of parts.filter(({ result }) => result.ok)) {
      if (!seen.has(name)) onReady(name);
      seen.add(name);
    }
    const keepsEnding = parts.some(
      ({ part, result }) => !result.ok && (part?.consecutiveEnds ?? 0) >= MAX_CONSECUTIVE_ENDS,
    );
    if (keepsEnding) throw notHealthy(parts);
    return phase === 'running' && parts.every(({ result }) => result.ok);
  };
  if (await waitFor(isDone, UP_LIMIT_MS, POLL_MS)) return;
  throw notHealthy(await probeAll(await currentState(settings)));
}

/** @throws LocalRuntimeError with the reason when no fleet is running (any more) */
async function currentState(settings: Settings): Promise<FleetState> {
  await untilNotStopping(settings);
  return runningState(settings.paths) ?? raise(whyItEnded(settings.paths, lastState(settings.paths)));
}

/** Waits while a fleet is stopping, since it can be neither used nor started. */
async function untilNotStopping({ paths }: Settings): Promise<void> {
  const isStopping = (): boolean => runningState(paths)?.phase === 'stopping';
  if (await waitFor(() => !isStopping(), DOWN_LIMIT_MS)) return;
  throw new LocalRuntimeError(
    `The fleet has been stopping for ${DOWN_LIMIT_MS / 1000} s: \`make down\` ends it.`,
  );
}

function whyItEnded(paths: Paths, last: FleetState | undefined): LocalRuntimeError {
  if (last?.phase === 'failed') return new LocalRuntimeError(last.failure ?? 'The fleet did not start.');
  if (last?.phase === 'stopped')
    return new LocalRuntimeError('The fleet was told to stop while it was starting.');
  return endedUnexpectedly(paths);
}

function endedUnexpectedly(paths: Paths): LocalRuntimeError {
  const lines = lastLines(logFile(paths, 'supervisor'), 5);
  return new LocalRuntimeError(['The supervisor has ended unexpectedly:', ...lines].join('\n  '));
}

function raise(error: Error): never {
  throw error;
}

function notHealthy(parts: readonly Readiness[]): LocalRuntimeError {
  const reports = parts.filter(({ result }) => !result.ok).map(describeUnready);
  const advice = 'The rest keeps running: `make logs` shows more, `make down` stops it.';
  return new LocalRuntimeError(['Not everything is healthy:', ...reports, advice].join('\n'));
}

async function printAddresses(settings: Settings, print: Print): Promise<void> {
  const { api, metrics } = await currentState(settings);
  print('The fleet is up.');
  if (api !== undefined) {
    print(`  API      ${api}/signal`);
    print(`  docs     ${api}/`);
    print(`  board    ${api}/andon`);
    print(`  metrics  ${metrics ?? api}/metrics`);
  }
  print(`  logs     make logs   (${settings.paths.logs})`);
  print('  stop     make down');
}

/** Stops all processes in order, and returns when they have ended. */
export async function down({ paths }: Settings, print: Print): Promise<void> {
  const holder = claimHolder(paths);
  if (holder?.role === 'supervisor') {
    print('Stopping the fleet ...');
    process.kill(holder.pid, 'SIGTERM');
    process.kill(holder.pid, 'SIGCONT'); // a frozen process could not act on SIGTERM
    if (!(await waitFor(() => !isAlive(holder), DOWN_LIMIT_MS))) process.kill(holder.pid, 'SIGKILL');
  }
  const left = await whileClaimed({ paths }, () => endLeftovers(paths));
  if (left.length > 0) print(`Ended the processes of a killed supervisor: ${left.join(', ')}.`);
  const didRun = holder?.role === 'supervisor' || left.length > 0;
  print(didRun ? 'The fleet is down; its data stays.' : 'The fleet is not running.');
}

/** Stops the fleet and removes data and logs. */
export async function clean(settings: Settings, print: Print): Promise<void> {
  const { paths } = settings;
  await down(settings, print);
  await whileClaimed(settings, async () => {
    for (const folder of [paths.data, paths.logs]) rmSync(folder, { recursive: true, force: true });
    forgetState(paths);
  });
  print(`Removed data and logs from ${paths.home}.`);
}

/** Runs `work` with the claim, so that no other command can start a fleet meanwhile. */
async function whileClaimed<T>({ paths }: Pick<Settings, 'paths'>, work: () => Promise<T>): Promise<T> {
  const isOurs = (): boolean => takeClaim(paths, 'cleanup') === undefined;
  if (!(await waitFor(isOurs, CLAIM_LIMIT_MS))) {
    throw new LocalRuntimeError(`Process ${claimHolder(paths)?.pid} has started the fleet meanwhile.`);
  }
  try {
    return await work();
  } finally {
    releaseClaim(paths);
  }
}
