import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CapacityError, RejectedError, TransientError } from '@tps/worker';
import { type SchemaAnswer, type SchemaCheck, schemaThread } from './schema-thread';

const YOUNG_GENERATION_MB = 16;
/** A check is looked at so many times until its limit. */
const LOOKS = 4;
/** Starting takes a tenth of a second, and many times as long on a busy machine. */
const START_LIMIT_MS = 10_000;

/** The check took too long or too much memory. The sender is at fault, because it chose the work of the thread. */
export class BrokenLimitError extends RejectedError {}

/** The machine is so busy that the check got no more than `usedMs` of processor time until it had to end. */
export class StarvedError extends CapacityError {
  constructor(readonly usedMs: number) {
    super('no processor was free for the schema');
  }
}

/** A thread that does one check at a time, until a check breaks a limit. */
export class CheckingThread {
  alive = true;
  private readonly worker: Worker;
  /** Starting takes longer than most checks and is not held against them. */
  private readonly ready: Promise<unknown>;
  private task = '';
  private settle: { resolve: (message: unknown) => void; reject: (error: Error) => void } | undefined;

  constructor(
    private readonly memoryMb: number,
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

  /** Resolves when it can check; rejects with a TransientError when it never will. */
  started(): Promise<unknown> {
    return this.ready;
  }

  /**
   * Only after it has started.
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

  /** Ends the check that is under way, and the thread with it, when a limit is broken. */
  private watch({ limitMs, wallMs }: { limitMs: number; wallMs: number }): NodeJS.Timeout {
    const asked = this.settle;
    const startedMs = performance.now();
    let firstMs: number | undefined;
    const look = (): void => {
      if (this.settle !== asked) return;
      const takenMs = performance.now() - startedMs;
      const cpuMs = this.cpuMs() ?? takenMs;
      // Few checks see a first look, so the others are spared the reading at their start.
      firstMs ??= cpuMs;
      const usedMs = cpuMs - firstMs;
      if (usedMs >= limitMs - limitMs / LOOKS) {
        this.stop(new BrokenLimitError(`payload.schema took longer than ${limitMs} ms`));
      } else if (takenMs >= wallMs) this.stop(new StarvedError(usedMs));
    };
    // Were this process held up itself, the answer may be here already: messages are read before setImmediate.
    return setInterval(() => setImmediate(look), limitMs / LOOKS);
  }

  /** Processor time of the thread since it began; null where the system does not tell. */
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
