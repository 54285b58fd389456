import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, writeFileSync } from 'node:fs';
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
 *   starting ---- exits with 78, the first time --> failed     (wrong configuration: again would not help)
 *   starting, live -- exits, or hangs: killed ----> waiting
 *   waiting ----- its delay is over --------------> starting
 *   any --------- stop() -------------------------> stopping --> stopped
 */
export type ChildState = 'starting' | 'live' | 'waiting' | 'failed' | 'stopping' | 'stopped';

export interface ChildStatus {
  readonly state: ChildState;
  readonly pid?: number | undefined;
  /** Milliseconds since 1970 at which it entered the state. */
  readonly since: number;
  readonly restarts: number;
  /** How often it ended without having run for a while in between. */
  readonly endsInARow: number;
  /** Why it ended last. */
  readonly reason?: string | undefined;
  /** Where in its log the present, or last, process began. */
  readonly logFrom: number;
}

export interface ChildContext {
  readonly paths: Paths;
  readonly env: Env;
  log(message: string): void;
  onChange(): void;
}

/** While it starts, so that `up` sees it at once. */
const START_PROBE_MS = 200;
/**
 * Afterwards. A probe leaves every second whether or not the one before was answered, so two misses
 * in a row are known 3 to 4 s after a process hung, and it is back within 5.
 */
const PROBE_MS = 1_000;
const MISSES_ALLOWED = 1;
const START_LIMIT_MS = 30_000;
const KILL_LIMIT_MS = 5_000;
/** Alive for this long, its next end counts as a first one. */
const STABLE_MS = 10_000;

/** Keeps one process of the fleet running. */
export class Child {
  #state: ChildState = 'stopped';
  #since = Date.now();
  #process: ChildProcess | undefined;
  #logFrom = 0;
  #restarts = 0;
  #endsInARow = 0;
  #wasLive = false;
  #killedBecause: string | undefined;
  #reason: string | undefined;
  #misses = 0;
  #asking = false;
  #beat: NodeJS.Timeout | undefined;
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
      endsInARow: this.#endsInARow,
      reason: this.#reason,
      logFrom: this.#logFrom,
    };
  }

  start(): void {
    try {
      this.#spawn();
    } catch (error) {
      // A full disk, say: it may pass, so it is one more failed start.
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
      detached: true, // leads its own group: ctrl-C in a terminal is the supervisor's to hand on
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

  /** Asks it to end, and makes it end after `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    clearInterval(this.#beat);
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child?.pid === undefined) return this.#enter('stopped');
    this.#enter('stopping');
    killGroup(child.pid, 'SIGTERM');
    killGroup(child.pid, 'SIGCONT'); // a stopped process would not act on it
    const isGone = (): boolean => this.#process === undefined;
    if (await waitFor(isGone, limitMs)) return;
    this.context.log(`${this.spec.name} did not end within ${limitMs / 1000} s: killed`);
    killGroup(child.pid, 'SIGKILL');
    await waitFor(isGone, KILL_LIMIT_MS);
  }

  /** At once, without asking. */
  kill(): void {
    if (this.#process?.pid !== undefined) killGroup(this.#process.pid, 'SIGKILL');
  }

  #probeEvery(periodMs: number): void {
    clearInterval(this.#beat);
    let due = Date.now() + periodMs;
    this.#beat = setInterval(() => {
      // A late beat means that this process did not run: answers may lie unread, so nothing was missed.
      const wasLate = Date.now() - due > PROBE_MS;
      if (wasLate) this.#misses = 0;
      due = Date.now() + periodMs;
      void this.#ask();
    }, periodMs);
  }

  async #ask(): Promise<void> {
    if (this.#state === 'starting' && this.#asking) return;
    const asked = this.#process;
    this.#asking = true;
    const { answered } = await probe(this.spec.live);
    this.#asking = false;
    // The answer may be about a process that has been replaced since.
    if (asked === undefined || asked !== this.#process) return;
    if (this.#state === 'starting') return this.#judgeStart(answered);
    if (this.#state !== 'live') return;
    this.#misses = answered ? 0 : this.#misses + 1;
    if (this.#misses > MISSES_ALLOWED && this.#killedBecause === undefined) {
      this.#killBecause(`it hung: ${this.#misses} probes unanswered for ${PROBE_LIMIT_MS / 1000} s each`);
    }
  }

  #judgeStart(answered: boolean): void {
    if (answered) {
      this.#wasLive = true;
      this.#enter('live');
      this.#probeEvery(PROBE_MS);
    } else if (Date.now() - this.#since > START_LIMIT_MS) {
      this.#killBecause(`it did not answer within ${START_LIMIT_MS / 1000} s of its start`);
    }
  }

  #killBecause(reason: string): void {
    clearInterval(this.#beat);
    this.#killedBecause = reason;
    this.kill();
  }

  #ended(child: ChildProcess, end: { code?: number | null; signal?: string | null; error?: Error }): void {
    if (child !== this.#process) return;
    clearInterval(this.#beat);
    if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL'); // whatever it started goes with it
    forgetProcess(this.context.paths, this.spec.name);
    this.#process = undefined;
    if (this.#state === 'stopping') return this.#enter('stopped');

    const how =
      end.error?.message ?? (end.signal ? `was ended by ${end.signal}` : `exited with code ${end.code}`);
    this.#reason = this.#killedBecause ?? `it ${how}`;
    if (isFinal(end.code, { wasLive: this.#wasLive, restarts: this.#restarts })) {
      this.context.log(`${this.spec.name} failed: ${this.#reason}`);
      return this.#enter('failed');
    }
    this.#scheduleRestart();
  }

  #scheduleRestart(): void {
    const wasStable = this.#state === 'live' && Date.now() - this.#since > STABLE_MS;
    if (wasStable) this.#endsInARow = 0;
    const delayMs = restartDelayMs(this.#endsInARow++, Math.random());
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
