import { RejectedError } from '@tps/worker';
import { handlerContext } from './context.fixture';
import { demoTask, executeSignal, type Task } from './execute';

describe('execute', () => {
  const echo: Task = async (payload) => payload.say;
  const definition = executeSignal(
    new Map([
      ['demo', demoTask],
      ['echo', echo],
    ]),
  );
  const run = async (payload: object, abort?: AbortSignal): Promise<unknown> =>
    definition.run(payload, handlerContext(abort));

  it('runs the demo for 50 ms, also if no task is named', async () => {
    const started = performance.now();
    expect(await run({ task: 'demo' })).toEqual({ task: 'demo' });
    expect(performance.now() - started).toBeGreaterThanOrEqual(48);
    expect(await run({ external_id: '123' })).toEqual({ task: 'demo' });
  });

  it('stops the demo when it is aborted', async () => {
    await expect(run({ task: 'demo' }, AbortSignal.abort())).rejects.toThrow('aborted');
  });

  it('runs a registered task and rejects any other', async () => {
    expect(await run({ task: 'echo', say: 'hello' })).toBe('hello');
    await expect(run({ task: 'constructor' })).rejects.toThrow(
      new RejectedError('payload.task "constructor" is none of demo, echo'),
    );
  });
});
