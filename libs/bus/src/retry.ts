import { setTimeout as sleep } from 'node:timers/promises';

/** Pauses between tries, in milliseconds: the first is about `firstMs`, and each is twice the one before, up to `capMs`. */
export interface Backoff {
  readonly firstMs: number;
  readonly capMs: number;
}

/** When to try again, and when to give up. Without `maxTries`, `limitMs`, `retryIf` and `signal`, `retry` never gives up. */
export interface RetryOptions {
  backoff: Backoff;
  /** Gives up after this many tries. Default: no limit. */
  maxTries?: number;
  /** Gives up when a try fails later than this after the start, in milliseconds. Default: no limit. */
  limitMs?: number;
  /** Whether another try can help after this error. Default: always. */
  retryIf?: (error: unknown) => boolean;
  /** Called with each error that is followed by another try. */
  onRetry?: (error: unknown) => void;
  /** Ends `retry`, also during a pause, with the signal's reason as its error. */
  signal?: AbortSignal;
  /** How to pause, for example `bus.sleepUntilReconnect`. Default: a timer. */
  pause?: (ms: number) => Promise<void>;
}

/**
 * The pause after a failed try, in milliseconds. Jitter takes off up to half, so that processes that failed together do
 * not try together.
 *
 * @param tries failed tries so far, at least 1
 * @param random in [0, 1), as `Math.random()`
 */
export function pauseMs({ firstMs, capMs }: Backoff, tries: number, random = Math.random()): number {
  return Math.min(capMs, firstMs * 2 ** (tries - 1)) * (0.5 + random / 2);
}

/**
 * Repeats a step until it succeeds.
 *
 * @returns the result of the step
 * @throws the error of the last try, or the reason of `signal`
 */
export async function retry<T>(step: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { backoff, maxTries = Infinity, limitMs = Infinity, retryIf, onRetry, signal } = options;
  const pause = options.pause ?? ((ms: number) => sleep(ms, undefined, signal ? { signal } : {}));
  const startMs = performance.now();
  for (let tries = 1; ; tries += 1) {
    signal?.throwIfAborted();
    try {
      return await step();
    } catch (error) {
      const isOver = tries >= maxTries || performance.now() - startMs > limitMs;
      if (isOver || retryIf?.(error) === false) throw error;
      onRetry?.(error);
    }
    await pause(pauseMs(backoff, tries)).catch((error: unknown) => {
      if (!signal?.aborted) throw error;
    });
  }
}
