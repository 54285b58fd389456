import { Type } from '@sinclair/typebox';
import { withChaos } from './chaos';
import { defineSignal, type HandlerContext } from '../definition';
import { DefectError, RejectedError, TransientError } from '../failure';

const definition = defineSignal({
  name: 'echo',
  input: Type.Object({ say: Type.String() }, { additionalProperties: false }),
  output: Type.Unknown(),
  run: (payload) => payload,
});

function run(chaos: unknown, attempt = 1, abort = new AbortController().signal): Promise<unknown> {
  const context = { signal: { attempt }, abort } as unknown as HandlerContext;
  return Promise.resolve(withChaos(definition, true).run({ say: 'hi', chaos }, context));
}

describe('withChaos', () => {
  it('leaves a definition as it is when it is not enabled', () => {
    expect(withChaos(definition, false)).toBe(definition);
  });

  it('runs the handler without the chaos in its payload', async () => {
    expect(await run(undefined)).toEqual({ say: 'hi' });
    expect(await run({ sleep_ms: 5 })).toEqual({ say: 'hi' });
    expect(await run({ fail: 'defect', fail_rate: 0 })).toEqual({ say: 'hi' });
  });

  it('lets chaos through an input schema without additional properties', () => {
    expect(Object.keys(withChaos(definition, true).input?.properties as object)).toEqual(['chaos', 'say']);
  });

  it.each([
    ['transient', TransientError],
    ['defect', DefectError],
    ['rejected', RejectedError],
  ])('fails as %s', async (fail, type) => {
    await expect(run({ fail })).rejects.toThrow(type);
  });

  it('fails only the first attempts, as transient by default', async () => {
    await expect(run({ fail_first: 2 }, 2)).rejects.toThrow(TransientError);
    await expect(run({ fail_first: 2, fail: 'defect' }, 1)).rejects.toThrow(DefectError);
    expect(await run({ fail_first: 2 }, 3)).toEqual({ say: 'hi' });
  });

  it('fails at the rate asked for', async () => {
    await expect(run({ fail_rate: 1 })).rejects.toThrow(TransientError);
    const random = jest.spyOn(Math, 'random').mockReturnValueOnce(0.2).mockReturnValueOnce(0.4);
    await expect(run({ fail_rate: 0.3 })).rejects.toThrow(TransientError);
    expect(await run({ fail_rate: 0.3 })).toEqual({ say: 'hi' });
    random.mockRestore();
  });

  it('sleeps and hangs until it is aborted', async () => {
    for (const chaos of [{ sleep_ms: 60_000 }, { hang: true }]) {
      const abort = new AbortController();
      const attempt = run(chaos, 1, abort.signal);
      setTimeout(() => abort.abort(), 20);
      await expect(attempt).rejects.toThrow(/abort/);
    }
  });

  it('kills the process', async () => {
    const kill = jest.spyOn(process, 'kill').mockReturnValue(true);
    await expect(run({ crash: true })).rejects.toThrow(TransientError);
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGKILL');
    expect(await run({ crash: true, fail_first: 1 }, 2)).toEqual({ say: 'hi' });
    expect(kill).toHaveBeenCalledTimes(1);
    kill.mockRestore();
  });

  it.each([
    7,
    null,
    { sleep_ms: -1 },
    { sleep_ms: 600_001 },
    { fail: 'badly' },
    { fail_rate: 2 },
    { hang: 'yes' },
    { sleep: 1 },
  ])('rejects %j and says what is allowed', async (chaos) => {
    await expect(run(chaos)).rejects.toThrow(RejectedError);
    await expect(run(chaos)).rejects.toThrow('sleep_ms: 0..600000');
  });
});
