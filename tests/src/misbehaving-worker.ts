import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import { defineSignal, runWorker } from '@tps/worker';

const Honest = Type.Object({ ms: Type.Integer() });
const Floating = Type.Object({ kind: Type.String() });
const Leaving = Type.Object({});

const NOTHING = undefined as unknown as Error;
/** Errors that a handler leaves behind, by kind. */
const LEFT_BEHIND: Record<string, () => void> = {
  rejection: () => void Promise.reject(new Error('left behind')),
  'later rejection': () => void sleep(100).then(() => Promise.reject(new Error('left behind'))),
  'nothing as the reason': () => void Promise.reject(NOTHING),
  timer: () => void setTimeout(() => fail('left behind'), 100),
  event: () => {
    const emitter = new EventEmitter().on('late', () => fail('left behind'));
    setTimeout(() => emitter.emit('late'), 100);
  },
  'error event': () => void setTimeout(() => new EventEmitter().emit('error', new Error('left behind')), 100),
  /** Three that look like errors of the fleet's own code, because only its frames are in their stacks. */
  fleet: () => {
    const stack = `Error: of the fleet\n    at Batcher.send (${require.resolve('@tps/worker')}:1:1)`;
    const leave = (): void => void Promise.reject(Object.assign(new Error('of the fleet'), { stack }));
    for (const ms of [0, 50, 100]) setTimeout(leave, ms);
  },
};

function fail(message: string): never {
  throw new Error(message);
}

/** A worker process whose handlers disturb each other; tests start it beside a fleet. */
void runWorker([
  defineSignal({
    name: 'honest',
    input: Honest,
    output: Type.Unknown(),
    run: async ({ ms }, { signal }) => {
      await sleep(ms);
      return signal.attempt;
    },
  }),
  defineSignal({
    name: 'floating',
    input: Floating,
    output: Type.Unknown(),
    run: async ({ kind }) => {
      LEFT_BEHIND[kind]!();
      await sleep(200);
    },
  }),
  // Rejects with the reason of the abort where nothing waits for it, as fetch() does.
  defineSignal({
    name: 'aborted',
    input: Leaving,
    output: Type.Unknown(),
    timeoutMs: 100,
    retry: { max_attempts: 1 },
    run: async (_, { abort }) => {
      abort.addEventListener('abort', () => fail('listener'));
      void once(abort, 'abort').then(() => Promise.reject(abort.reason as Error));
      await sleep(1_000, undefined, { signal: abort });
    },
  }),
  defineSignal({
    name: 'leaving',
    input: Leaving,
    output: Type.Unknown(),
    run: () => process.exit(0),
  }),
]);
