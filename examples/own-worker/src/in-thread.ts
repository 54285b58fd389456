import { Worker } from 'node:worker_threads';
import { TransientError } from '@tps/worker';

/**
 * Runs a module in a thread of its own, so that the event loop stays free for the other signals of the process. There are
 * never more threads than slots. For many short pieces of work, take a pool (`piscina`): a thread starts in some 50 ms.
 *
 * @param abort ends the thread
 * @returns the first message of the module
 */
export function inThread<T>(module: string, data: unknown, abort: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(module, { workerData: data });
    const end = (): void => void thread.terminate();
    abort.addEventListener('abort', end, { once: true });
    thread.once('message', resolve).once('error', reject);
    thread.once('exit', () => {
      abort.removeEventListener('abort', end);
      reject(new TransientError('the thread ended without an answer'));
    });
  });
}
