import { CapacityError, RejectedError } from '@tps/worker';
import { BrokenLimitError, CheckingThread, StarvedError } from './checking-thread';
import { type Rank, SchemaCosts } from './schema-costs';
import type { SchemaAnswer, SchemaCheck } from './schema-thread';

export interface SchemaThreadLimits {
  threads: number;
  /** A check that takes more processor time ends with its thread. Waiting does not count. */
  timeMs: number;
  memoryMb: number;
  /** The longest wait for a thread. */
  waitMs: number;
  /** The number of quick checks that may wait for a thread; further ones are released. */
  queue: number;
  /** The number of other checks that may wait or run; further ones are released, so that other signals get slots. */
  places: number;
}

const LIMITS: SchemaThreadLimits = {
  ...{ threads: 2, timeMs: 1_000, memoryMb: 128 },
  ...{ waitMs: 2_500, queue: 512, places: 2 },
};
/** A check ends this long before its attempt, so that its own result counts. */
const MARGIN_MS = 500;
/** The ranks, in the order in which threads take them. */
const RANKS: readonly Rank[] = ['quick', 'unknown', 'suspect'];

interface Job {
  check: SchemaCheck;
  rank: Rank;
  limitMs: number;
  endsAtMs: number;
  resolve: (answer: SchemaAnswer) => void;
  reject: (error: Error) => void;
  /** Releases the check if no thread was free in time. */
  timer: NodeJS.Timeout;
  gone: boolean;
}

/**
 * Runs senders' schemas in threads, where they can be stopped: a pattern that backtracks without end or a schema that
 * branches exponentially blocks its thread, never the worker's event loop. A thread starts when it is first needed, ends
 * with a check that breaks its limits, and does not keep the process alive.
 *
 * Quick checks go first, and one thread takes nothing else, so that slow checks never hold up all threads. A signal
 * that finds no thread in time is released, because it has not failed.
 */
export class SchemaThreads {
  private readonly limits: SchemaThreadLimits;
  private readonly costs: SchemaCosts;
  private readonly waiting: Record<Rank, Job[]> = { quick: [], unknown: [], suspect: [] };
  private readonly threads = new Set<CheckingThread>();
  private readonly idle: CheckingThread[] = [];
  private readonly running: Record<Rank, number> = { quick: 0, unknown: 0, suspect: 0 };
  private closed = false;

  constructor(limits: Partial<SchemaThreadLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
    this.costs = new SchemaCosts(this.limits.timeMs);
  }

  /**
   * @param endsAtMs when the check must have ended
   * @throws RejectedError when the check breaks a limit, or broke it a moment ago
   * @throws CapacityError when no thread is free for it
   * @throws TransientError when no thread can start
   */
  async check(check: SchemaCheck, endsAtMs: number): Promise<SchemaAnswer> {
    const forecast = this.costs.forecast(check, Date.now());
    if (forecast === 'refused') {
      throw new RejectedError('payload.schema took too long for the same data less than a minute ago');
    }
    this.admit(forecast.rank);
    return new Promise((resolve, reject) => this.enqueue({ check, endsAtMs, ...forecast, resolve, reject }));
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const rank of RANKS) {
      for (const job of [...this.waiting[rank]]) this.giveBack(job, 'the worker stops');
    }
    await Promise.all([...this.threads].map((thread) => thread.end()));
  }

  /**
   * Queues a check. A new schema takes the place of a waiting suspect.
   * @throws CapacityError
   */
  private admit(rank: Rank): void {
    const { queue, places } = this.limits;
    if (this.closed) throw new CapacityError('the worker stops');
    if (rank === 'quick' && this.waiting.quick.length >= queue) {
      throw new CapacityError(`${queue} schemas wait for a thread`);
    }
    const slow = this.waiting.unknown.length + this.waiting.suspect.length + this.runningSlow();
    if (rank === 'quick' || slow < places) return;
    const full = `${places} schemas that are new or may be slow wait for a thread`;
    const suspect = rank === 'unknown' && this.waiting.suspect.at(-1);
    if (!suspect) throw new CapacityError(full);
    this.giveBack(suspect, full);
  }

  private enqueue(given: Omit<Job, 'timer' | 'gone'>): void {
    const waitMs = Math.max(0, Math.min(this.limits.waitMs, given.endsAtMs - MARGIN_MS - Date.now()));
    const timer = setTimeout(
      () => this.giveBack(job, `no schema thread was free within ${waitMs} ms`),
      waitMs,
    );
    const job: Job = { ...given, timer, gone: false };
    this.waiting[job.rank].push(job);
    this.dispatch();
  }

  private giveBack(job: Job, why: string): void {
    const line = this.waiting[job.rank];
    if (line.includes(job)) line.splice(line.indexOf(job), 1);
    clearTimeout(job.timer);
    job.gone = true;
    job.reject(new CapacityError(why));
  }

  /** Starts all checks that may start now. */
  private dispatch(): void {
    while (this.running.quick + this.runningSlow() < this.limits.threads) {
      const rank = RANKS.find((name) => this.waiting[name].length > 0 && this.mayStart(name));
      const job = rank && this.waiting[rank].shift();
      if (!job) return;
      void this.work(job);
    }
  }

  private mayStart(rank: Rank): boolean {
    return rank === 'quick' || this.runningSlow() < Math.max(1, this.limits.threads - 1);
  }

  private runningSlow(): number {
    return this.running.unknown + this.running.suspect;
  }

  private async work(job: Job): Promise<void> {
    this.running[job.rank] += 1;
    const thread = this.takeThread();
    try {
      // A check waits while its thread starts, so its signal may have been released meanwhile.
      await thread.started();
      clearTimeout(job.timer);
      if (!job.gone) job.resolve(await this.run(job, thread));
    } catch (error) {
      clearTimeout(job.timer);
      job.reject(error as Error);
    }
    if (thread.alive) this.idle.push(thread);
    this.running[job.rank] -= 1;
    this.dispatch();
  }

  private async run({ check, rank, limitMs, endsAtMs }: Job, thread: CheckingThread): Promise<SchemaAnswer> {
    const started = performance.now();
    try {
      const wallMs = endsAtMs - MARGIN_MS - Date.now();
      const answer = await thread.run(check, { limitMs, wallMs });
      this.costs.took(check, rank, performance.now() - started);
      return answer;
    } catch (error) {
      if (error instanceof StarvedError) this.costs.starved(check, error.usedMs, Date.now());
      if (!(error instanceof BrokenLimitError)) throw error;
      this.costs.broke(check, Date.now());
      if (rank !== 'suspect') throw error;
      throw new RejectedError(`${error.message}, as one like it took too long less than a minute ago`);
    }
  }

  private takeThread(): CheckingThread {
    for (let thread = this.idle.pop(); thread; thread = this.idle.pop()) if (thread.alive) return thread;
    const thread = new CheckingThread(this.limits.memoryMb, () => this.threads.delete(thread));
    this.threads.add(thread);
    return thread;
  }
}
