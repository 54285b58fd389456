import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import { defineSignal, type HandlerContext, RejectedError, type SignalDefinition } from '@tps/worker';

/** A named piece of work. Its result and its errors count as those of the handler. */
export type Task = (payload: Record<string, unknown>, context: HandlerContext) => Promise<unknown>;

/** The longest attempt of any task. */
export const EXECUTE_LIMIT_MS = 30_000;
const DEMO_MS = 50;
const DEFAULT_TASK = 'demo';

/** Stands for 50 ms of work. */
export const demoTask: Task = async (_payload, { abort }) => {
  await sleep(DEMO_MS, undefined, { signal: abort });
  return { task: 'demo' };
};

/** Runs the task that `payload.task` names; a payload that names none runs `demo`. */
export function executeSignal(tasks: ReadonlyMap<string, Task>): SignalDefinition {
  return defineSignal({
    name: 'execute',
    input: Type.Object({
      task: Type.Optional(Type.String({ description: `one of ${[...tasks.keys()].join(', ')}` })),
    }),
    output: Type.Unknown(),
    timeoutMs: EXECUTE_LIMIT_MS,
    // Twice the work of the demo task, because a busy machine wakes a sleeping handler late.
    standardMs: 100,
    success: 'Execution successful',
    run: (payload, context) => {
      const name = payload.task ?? DEFAULT_TASK;
      const task = tasks.get(name);
      if (task) return task(payload, context);
      throw new RejectedError(
        `payload.task ${JSON.stringify(name)} is none of ${[...tasks.keys()].join(', ')}`,
      );
    },
  });
}
