import { Worker } from 'node:worker_threads';
import { RejectedError, TransientError } from '@tps/worker';
import { type SchemaAnswer, type SchemaCheck, schemaThread } from './schema-thread';

export interface SchemaThreadLimits {
  threads: number;
  /** A check that takes longer ends with its thread. */
  timeMs: number;
  memoryMb: number;
  /** Checks that wait for a thread; more are refused. */
  queue: number;
}

const LIMITS: SchemaThreadLimits = { threads: 2, timeMs: 1_000, memoryMb: 128, queue: 512 };
const YOUNG_GENERATION_MB = 16;

interface Job {
  check: SchemaCheck;
  abort: AbortSignal;
  resolve: (answer: SchemaAnswer) => void;
  reject: (error: Error) => void;
}

/**
 * Runs senders' schemas where they can be stopped: a pattern that backtracks without end or a schema that branches
 * exponentially blocks its thread, never the worker's event loop. Threads start when first needed, are ended together
 * with a check that breaks its limits, and do not keep the process alive.
 */
export class SchemaThreads {
  private readonly limits: SchemaThreadLimits;
  private readonly queue: Job[] = [];
  private readonly threads = new Set<Thread>();
  private readonly idle: Thread[] = [];
  private lanes = 0;
  private closed = false;

  constructor(limits: Partial<SchemaThreadLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
  }

  /**
   * @throws RejectedError when the check breaks a limit: what a thread is given to do is the sender's choice
   * @throws TransientError when no thread could do it
   */
  check(check: SchemaCheck, abort: AbortSignal): Promise<SchemaAnswer> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new TransientError('the schema threads are closed'));
      if (this.queue.length >= this.limits.queue) {
        return reject(new TransientError('too many checks wait for a schema thread'));
      }
      this.queue.push({ check, abort, resolve, reject });
      if (this.lanes < this.limits.threads) void this.work();
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const { reject } of this.queue.splice(0)) reject(new TransientError('the worker stops'));
    await Promise.all([...this.threads].map((thread) => thread.end()));
  }

  /** Takes from the queue with one thread until it is empty. */
  private async work(): Promise<void> {
    this.lanes += 1;
    let thread: Thread | undefined;
    for (let job = this.queue.shift(); job; job = this.queue.shift()) {
      if (job.abort.aborted) {
        job.reject(new TransientError('given up while waiting for a schema thread'));
        continue;
      }
      thread = thread?.alive ? thread : this.takeThread();
      try {
        job.resolve(await thread.run(job.check));
      } catch (error) {
        job.reject(error as Error);
      }
    }
    if (thread?.alive) this.idle.push(thread);
    this.lanes -= 1;
  }

  private takeThread(): Thread {
    for (let thread = this.idle.pop(); thread; thread = this.idle.pop()) if (thread.alive) return thread;
    const thread = new Thread(this.limits, () => this.threads.delete(thread));
    this.threads.add(thread);
    return thread;
  }
}

class Thread {
  alive = true;
  private readonly worker: Worker;
  /** Starting takes longer than most checks and is not held against them. */
  private readonly ready: Promise<unknown>;
  private settle: { resolve: (message: unknown) => void; reject: (error: Error) => void } | undefined;

  constructor(
    private readonly limits: SchemaThreadLimits,
    onEnd: () => void,
  ) {
    this.worker = new Worker(`(${schemaThread.toString()})(require)`, {
      eval: true,
      // Nothing of the worker's configuration is within a schema's reach.
      env: {},
      execArgv: [],
      workerData: {
        ajv: require.resolve('ajv'),
        ajv2020: require.resolve('ajv/dist/2020'),
        formats: require.resolve('ajv-formats'),
      },
      resourceLimits: {
        maxOldGenerationSizeMb: limits.memoryMb,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      },
    });
    this.worker.unref();
    this.worker.on('message', (message: unknown) => this.settle?.resolve(message));
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', () => {
      this.fail(new Error('it ended'));
      onEnd();
    });
    this.ready = this.nextMessage().catch((error: Error) => {
      throw new TransientError(`no schema thread could start: ${error.message}`, { cause: error });
    });
  }

  async run(check: SchemaCheck): Promise<SchemaAnswer> {
    await this.ready;
    const answer = this.nextMessage();
    const asked = this.settle;
    const timer = setTimeout(() => {
      // Were this process held up itself, the answer may be here already: messages are read before setImmediate.
      setImmediate(() => this.settle === asked && this.overtime());
    }, this.limits.timeMs);
    this.worker.postMessage(check);
    try {
      return (await answer) as SchemaAnswer;
    } finally {
      clearTimeout(timer);
    }
  }

  async end(): Promise<void> {
    this.alive = false;
    await this.worker.terminate();
  }

  private nextMessage(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const done = (): void => (this.settle = undefined);
      this.settle = {
        resolve: (message) => (done(), resolve(message)),
        reject: (error) => (done(), reject(error)),
      };
    });
  }

  private overtime(): void {
    this.settle?.reject(new RejectedError(`payload.schema took longer than ${this.limits.timeMs} ms`));
    void this.end();
  }

  private fail(error: Error & { code?: string }): void {
    this.alive = false;
    const reason =
      error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? new RejectedError(`payload.schema needs more than ${this.limits.memoryMb} MiB of memory`)
        : new TransientError(`the schema thread failed: ${error.message}`, { cause: error });
    this.settle?.reject(reason);
  }
}
