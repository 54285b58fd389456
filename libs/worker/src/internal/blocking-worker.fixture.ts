import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import { defineSignal, type HandlerContext, runWorker } from '../index';

const Work = Type.Object({ ms: Type.Integer() });

/** Tells the test which handler started, and which ended. */
const tell = (what: 'start' | 'end', { signal }: HandlerContext): void =>
  console.log(JSON.stringify({ what, id: signal.id, attempt: signal.attempt }));

function block(ms: number): void {
  const endMs = Date.now() + ms;
  while (Date.now() < endMs);
}

const common = { input: Work, output: Type.Unknown() };

/** Runs in a process of its own, because a handler that blocks would block the test, too. */
void runWorker([
  defineSignal({
    ...common,
    name: 'blocking',
    timeoutMs: 30_000,
    run: ({ ms }, context) => {
      tell('start', context);
      block(ms);
      tell('end', context);
    },
  }),
  // After an await, nothing tells which handler is running.
  defineSignal({
    ...common,
    name: 'blocking-later',
    timeoutMs: 30_000,
    run: async ({ ms }, context) => {
      tell('start', context);
      await sleep(50);
      block(ms);
    },
  }),
  // Blocks for longer than it may.
  defineSignal({
    ...common,
    name: 'hanging',
    timeoutMs: 1_000,
    run: ({ ms }, context) => {
      tell('start', context);
      if (context.signal.attempt === 1) block(ms);
    },
  }),
  defineSignal({
    ...common,
    name: 'honest',
    retry: { max_attempts: 1 },
    run: async ({ ms }, context) => {
      tell('start', context);
      await sleep(ms);
      tell('end', context);
    },
  }),
]);
