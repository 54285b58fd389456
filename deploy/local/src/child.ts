import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from './errors';
import { openLog } from './log-files';
import type { ProcessSpec } from './plan';
import { PROBE_LIMIT_MS, probe } from './probe';
import { forgetProcess, identify, killGroup, recordProcess } from './processes';
import { isFinal, restartDelayMs } from './restart';
import type { Env, Paths } from './settings';
import { waitFor } from './wait';

/**
 *   starting ---- answers a probe ----------------> live
 *   starting ---- exits with 78, the first time --> failed     (wrong configuration: a restart would not help)
 *   starting, live -- exits, or hangs: killed ----> waiting
 *   waiting ----- its delay has passed -----------> starting
 *   any --------- stop() -------------------------> stopping --> stopped
 */
export type ChildState = 'starting' | 'live' | 'waiting' | 'failed' | 'stopping' | 'stopped';

export interface ChildStatus {
  readonly state: ChildState;
  readonly pid?: number | undefined;
  /** When it entered the state, in milliseconds since 1970. */
  readonly since: number;
  readonly restarts: number;
  /** Number of ends since it last ran for a while. */
  readonly consecutiveEnds: number;
  /** Why it ended last. */
  readonly reason?: string | undefined;
  /** The offset in its log at which the present or last process began. */
  readonly logFrom: number;
}

export interface ChildContext {
  readonly paths: Paths;
  readonly env: Env;
  log(message: string): void;
  onChange(): void;
}

/** The period of probes during the start: short, so that `up` returns as soon as possible. */
const START_PROBE_MS = 200;
/**
 * The period of probes afterwards. They do not wait for each other, so two misses in a row show 3 to 4 s after a process
 * began to hang, and it is back within 5 s.
 */
const PROBE_MS = 1_000;
const MISSES_ALLOWED = 1;
/** A blocked process touches its file several times a second. */
const FRESH_MS = 2_000;
const START_LIMIT_MS = 30_000;
const KILL_LIMIT_MS = 5_000;
/** After living for this long, the next end counts as a first one. */
const STABLE_MS = 10_000;

/** Keeps one process of the fleet running. */
export class Child {
  #state: ChildState = 'stopped';
  #since = Date.now();
  #process: ChildProcess | undefined;
  #logFrom = 0;
  #restarts = 0;
  #consecutiveEnds = 0;
  #killedBecause: string | undefined;
  #reason: string | undefined;
  #misses = 0;
  #probing = false;
  #probes: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;

  constructor(
    readonly spec: ProcessSpec,
    private readonly context: ChildContext,
  ) {}

  get status(): ChildStatus {
    return {
      state: this.#state,
      pid: this.#process?.pid,
      since: this.#since,
      restarts: this.#restarts,
      consecutiveEnds: this.#consecutiveEnds,
      reason: this.#reason,
      logFrom: this.#logFrom,
    };
  }

  start(): void {
    try {
      this.#spawn();
    } catch (error) {
      // The cause, such as a full disk, may pass, so this counts as one more failed start.
      this.#reason = messageOf(error);
      this.#scheduleRestart();
    }
  }

  #spawn(): void {
    const { spec, context } = this;
    for (const { path, text } of spec.files) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text, { mode: 0o600 });
    }
    const log = openLog(context.paths, spec.name);
    this.#logFrom = fstatSync(log).size;
    this.#misses = 0;
    this.#killedBecause = undefined;
    const child = spawn(spec.command, spec.args, {
      cwd: context.paths.root,
      env: { ...context.env, ...spec.env },
      detached: true, // a group of its own, so that ctrl-C reaches only the supervisor
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#process = child;
    const id = child.pid === undefined ? undefined : identify(child.pid);
    if (id !== undefined) recordProcess(context.paths, spec.name, id);
    child.once('exit', (code, signal) => this.#ended(child, { code, signal }));
    child.once('error', (error) => {
      if (child.pid === undefined) this.#ended(child, { error });
    });
    this.#enter('starting');
    this.#probeEvery(START_PROBE_MS);
  }

  /** Terminates the process, and kills it after `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    clearInterval(this.#probes);
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child?.pid === undefined) return this.#enter('stopped');
    this.#enter('stopping');
    killGroup(child.pid, 'SIGTERM');
    killGroup(child.pid, 'SIGCONT'); // a frozen process could not act on SIGTERM
    const hasEnded = (): boolean => this.#process === undefined;
    if (await waitFor(hasEnded, limitMs)) return;
    this.context.log(`${this.spec.name} did not end within ${limitMs / 1000} s: killed`);
    killGroup(child.pid, 'SIGKILL');
    await waitFor(hasEnded, KILL_LIMIT_MS);
  }

  /** Kills the process at once. */
  kill(): void {
    if (this.#process?.pid !== undefined) killGroup(this.#process.pid, 'SIGKILL');
  }

  #probeEvery(periodMs: number): void {
    clearInterval(this.#probes);
    let due = Date.now() + periodMs;
    this.#probes = setInterval(() => {
      // After a late probe this process itself was not running: answers may be unread, so none counts as missed.
      const wasLate = Date.now() - due > PROBE_MS;
      if (wasLate) this.#misses = 0;
      due = Date.now() + periodMs;
      void this.#probe();
    }, periodMs);
  }

  async #probe(): Promise<void> {
    if (this.#state === 'starting' && this.#probing) return;
    const probed = this.#process;
    this.#probing = true;
    const { answered } = await probe(this.spec.live);
    this.#probing = false;
    // The probed process may have been replaced since.
    if (probed === undefined || probed !== this.#process) return;
    if (this.#state === 'starting') return this.#checkStart(answered);
    if (this.#state !== 'live') return;
    this.#misses = answered || isFresh(this.spec.livenessFile) ? 0 : this.#misses + 1;
    if (this.#misses > MISSES_ALLOWED && this.#killedBecause === undefined) {
      this.#killBecause(`it hung: ${this.#misses} probes had no answer within ${PROBE_LIMIT_MS / 1000} s`);
    }
  }

  #checkStart(answered: boolean): void {
    if (answered) {
      this.#enter('live');
      this.#probeEvery(PROBE_MS);
    } else if (Date.now() - this.#since > START_LIMIT_MS) {
      this.#killBecause(`it did not answer within ${START_LIMIT_MS / 1000} s of its start`);
    }
  }

  #killBecause(reason: string): void {
    clearInterval(this.#probes);
    this.#killedBecause = reason;
    this.kill();
  }

  #ended(child: ChildProcess, end: { code?: number | null; signal?: string | null; error?: Error }): void {
    if (child !== this.#process) return;
    clearInterval(this.#probes);
    if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL'); // its own children end with it
    forgetProcess(this.context.paths, this.spec.name);
    this.#process = undefined;
    if (this.#state === 'stopping') return this.#enter('stopped');

    const how =
      end.error?.message ?? (end.signal ? `was killed by ${end.signal}` : `exited with code ${end.code}`);
    this.#reason = this.#killedBecause ?? `it ${how}`;
    const liveMs = this.#state === 'live' ? Date.now() - this.#since : 0;
    if (isFinal(end.code, { liveMs, restarts: this.#restarts })) {
      this.context.log(`${this.spec.name} failed: ${this.#reason}`);
      return this.#enter('failed');
    }
    this.#scheduleRestart();
  }

  #scheduleRestart(): void {
    const wasStable = this.#state === 'live' && Date.now() - this.#since > STABLE_MS;
    if (wasStable) this.#consecutiveEnds = 0;
    const delayMs = restartDelayMs(this.#consecutiveEnds++, Math.random());
    this.#restarts++;
    this.context.log(
      `${this.spec.name} restarts in ${delayMs} ms because ${this.#reason} (restart ${this.#restarts})`,
    );
    this.#restart = setTimeout(() => this.start(), delayMs);
    this.#enter('waiting');
  }

  #enter(state: ChildState): void {
    this.#state = state;
    this.#since = Date.now();
    this.context.onChange();
  }
}

/** Whether a process has touched the file just now. */
function isFresh(path: string | undefined): boolean {
  const stats = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.mtimeMs < FRESH_MS;
}
