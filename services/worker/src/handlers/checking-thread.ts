import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CapacityError, RejectedError, TransientError } from '@tps/worker';
import { type SchemaAnswer, type SchemaCheck, schemaThread } from './schema-thread';

const YOUNG_GENERATION_MB = 16;
/** How often a check is looked at before its limit. */
const LOOKS = 4;
/** A start takes a tenth of a second, and many times as long on a busy machine. */
const START_LIMIT_MS = 10_000;

/** The check took too long or too much memory. The sender is at fault, because it chose the work of the thread. */
export class BrokenLimitError extends RejectedError {}

/** The machine is so busy that the check got only `usedMs` of processor time before its limit. */
export class StarvedError extends CapacityError {
  constructor(readonly usedMs: number) {
    super('no processor was free for the schema');
  }
}

/** A thread that does one check at a time, until a check breaks a limit. */
export class CheckingThread {
  alive = true;
  private readonly worker: Worker;
  /** Resolves after the start, which takes longer than most checks and does not count against them. */
  private readonly ready: Promise<unknown>;
  private task = '';
  private settle: { resolve: (message: unknown) => void; reject: (error: Error) => void } | undefined;

  constructor(
    private readonly memoryMb: number,
    onEnd: () => void,
  ) {
    this.worker = new Worker(`(${schemaThread.toString()})(require)`, {
      eval: true,
      // A schema must not reach the worker's configuration.
      env: {},
      execArgv: [],
      workerData: {
        ajv: require.resolve('ajv'),
        ajv2020: require.resolve('ajv/dist/2020'),
        formats: require.resolve('ajv-formats'),
      },
      resourceLimits: {
        maxOldGenerationSizeMb: memoryMb,
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
    const timer = setTimeout(
      () => this.stop(new Error(`not ready within ${START_LIMIT_MS} ms`)),
      START_LIMIT_MS,
    );
    this.ready = this.nextMessage()
      .then((task) => (this.task = String(task)))
      .catch((error: Error) => {
        throw new TransientError(`no schema thread could start: ${error.message}`, { cause: error });
      })
      .finally(() => clearTimeout(timer));
  }

  /** Resolves when the thread can check; rejects with a TransientError if it never will. */
  started(): Promise<unknown> {
    return this.ready;
  }

  /**
   * To be called after the thread has started.
   * @throws BrokenLimitError
   * @throws StarvedError
   */
  async run(check: SchemaCheck, limits: { limitMs: number; wallMs: number }): Promise<SchemaAnswer> {
    const answer = this.nextMessage();
    const timer = this.watch(limits);
    this.worker.postMessage(check);
    try {
      return (await answer) as SchemaAnswer;
    } finally {
      clearInterval(timer);
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

  /** Ends the running check, and the thread with it, when it breaks a limit. */
  private watch({ limitMs, wallMs }: { limitMs: number; wallMs: number }): NodeJS.Timeout {
    const asked = this.settle;
    const startedMs = performance.now();
    let firstMs: number | undefined;
    const look = (): void => {
      if (this.settle !== asked) return;
      const takenMs = performance.now() - startedMs;
      const cpuMs = this.cpuMs() ?? takenMs;
      // Most checks end before the first look, so they are spared this reading at their start.
      firstMs ??= cpuMs;
      const usedMs = cpuMs - firstMs;
      if (usedMs >= limitMs - limitMs / LOOKS) {
        this.stop(new BrokenLimitError(`payload.schema took longer than ${limitMs} ms`));
      } else if (takenMs >= wallMs) this.stop(new StarvedError(usedMs));
    };
    // If this process itself was delayed, the answer may be here already: messages are read before setImmediate.
    return setInterval(() => setImmediate(look), limitMs / LOOKS);
  }

  /** Processor time of the thread since its start; null if the system does not report it. */
  private cpuMs(): number | null {
    try {
      const [ns] = readFileSync(`/proc/${this.task}/schedstat`, 'utf8').split(' ');
      return Number(ns) / 1e6;
    } catch {
      return null;
    }
  }

  private stop(error: Error): void {
    this.settle?.reject(error);
    void this.end();
  }

  private fail(error: Error & { code?: string }): void {
    this.alive = false;
    const reason =
      error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? new BrokenLimitError(`payload.schema needs more than ${this.memoryMb} MiB of memory`)
        : new TransientError(`the schema thread failed: ${error.message}`, { cause: error });
    this.settle?.reject(reason);
  }
}
