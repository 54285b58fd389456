import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** Calls `onTick` at `startMs` and every `periodMs` after it, by `performance.now()`. The returned function stops it. */
export type StartInterval = (startMs: number, periodMs: number, onTick: () => void) => () => void;

interface TickerOptions {
  startNs: bigint;
  periodNs: bigint;
  stopped: Int32Array;
}

/**
 * An interval that is exact to about 0.1 ms. Node's timers have whole milliseconds, and half a millisecond of our own on
 * an answer that takes two would flatter the slower of two systems. A thread therefore sleeps on the kernel's clock and
 * wakes the event loop. A busy loop instead would take a core from the measured system.
 */
export const startExactInterval: StartInterval = (startMs, periodMs, onTick) => {
  const stopped = new Int32Array(new SharedArrayBuffer(4));
  const inNs = (ms: number): bigint => BigInt(Math.round(ms * 1e6));
  const startNs = process.hrtime.bigint() + inNs(startMs - performance.now());
  const options: TickerOptions = { startNs, periodNs: inNs(periodMs), stopped };
  const thread = new Worker(join(__dirname, 'interval-timer.js'), { workerData: options });
  thread.on('message', onTick);
  return () => {
    Atomics.store(stopped, 0, 1);
    Atomics.notify(stopped, 0);
  };
};

function tick({ startNs, periodNs, stopped }: TickerOptions): void {
  for (let at = startNs; Atomics.load(stopped, 0) === 0; at += periodNs) {
    const waitMs = Number(at - process.hrtime.bigint()) / 1e6;
    if (waitMs > 0) Atomics.wait(stopped, 0, 0, waitMs);
    parentPort?.postMessage(0);
  }
}

if (!isMainThread) tick(workerData as TickerOptions);
