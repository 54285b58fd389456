import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** Calls `onBeat` at `startMs` and every `periodMs` after it, by `performance.now()`, until the returned stop. */
export type Pulse = (startMs: number, periodMs: number, onBeat: () => void) => () => void;

interface Orders {
  startNs: bigint;
  periodNs: bigint;
  stopped: Int32Array;
}

/**
 * A pulse that is exact to about a tenth of a millisecond. Node's timers are whole milliseconds, and half a
 * millisecond of our own on an answer that takes two would flatter the slower of two systems. So a thread sleeps on
 * the kernel's clock and wakes the event loop; spinning instead would take a core from what is measured.
 */
export const metronome: Pulse = (startMs, periodMs, onBeat) => {
  const stopped = new Int32Array(new SharedArrayBuffer(4));
  const inNs = (ms: number): bigint => BigInt(Math.round(ms * 1e6));
  const startNs = process.hrtime.bigint() + inNs(startMs - performance.now());
  const orders: Orders = { startNs, periodNs: inNs(periodMs), stopped };
  const thread = new Worker(join(__dirname, 'metronome.js'), { workerData: orders });
  thread.on('message', onBeat);
  return () => {
    Atomics.store(stopped, 0, 1);
    Atomics.notify(stopped, 0);
  };
};

function beat({ startNs, periodNs, stopped }: Orders): void {
  for (let at = startNs; Atomics.load(stopped, 0) === 0; at += periodNs) {
    const waitMs = Number(at - process.hrtime.bigint()) / 1e6;
    if (waitMs > 0) Atomics.wait(stopped, 0, 0, waitMs);
    parentPort?.postMessage(0);
  }
}

if (!isMainThread) beat(workerData as Orders);
