import { type TSchema, Type } from '@sinclair/typebox';
import { RETRY_DEFAULTS } from '@tps/contracts';
import { LazyAbort } from './lazy-abort';
import { type CompiledDefinition, ReleasedError, runAttempt, type AttemptResult } from './attempt';
import type { HandlerContext } from '../definition';
import { CapacityError, DefectError, RejectedError, TransientError } from '../failure';

const HOUR_MS = 3_600_000;

function compiled(
  run: CompiledDefinition['run'],
  given: Partial<CompiledDefinition> = {},
): CompiledDefinition {
  const output: TSchema = Type.Unknown();
  const retry = RETRY_DEFAULTS;
  return { name: 'demo', output, timeoutMs: 1_000, retry, checkOutput: () => null, run, ...given };
}
const forever = (): Promise<never> => new Promise(() => undefined);

async function attempt(
  definition: CompiledDefinition,
  { abort = new LazyAbort(), leftMs = HOUR_MS } = {},
): Promise<AttemptResult> {
  const context = {
    get abort() {
      return abort.signal;
    },
  } as unknown as HandlerContext;
  return runAttempt(definition, { n: 1 }, context, { abort, deadlineMs: Date.now() + leftMs });
}

it('passes the input to a synchronous or asynchronous handler and returns its result', async () => {
  expect(await attempt(compiled((input) => input))).toEqual({
    ok: true,
    result: { n: 1 },
    json: '{"n":1}',
  });
  expect(await attempt(compiled(async () => undefined))).toEqual({ ok: true, result: undefined });
});

it.each([
  ['a plain error', new Error('down'), 'transient'],
  ['a value that is no error', 'boom' as unknown as Error, 'transient'],
  ['a programming error', new TypeError('x is not a function'), 'defect'],
  [
    'an unreachable host of fetch()',
    new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }),
    'transient',
  ],
  ['a DefectError', new DefectError('broken'), 'defect'],
  ['a RejectedError', new RejectedError('no such task'), 'rejected'],
] satisfies [string, Error, string][])('classifies %s', async (_, thrown, errorClass) => {
  const result = await attempt(compiled(() => Promise.reject(thrown)));
  expect(result).toMatchObject({ ok: false, errorClass });
});

it('keeps the delay and the dependency of a transient error', async () => {
  const thrown = new TransientError('host is down', { retryAfterMs: 5_000, dependency: 'a.test:80' });
  expect(await attempt(compiled(() => Promise.reject(thrown)))).toMatchObject({
    errorClass: 'transient',
    retryAfterMs: 5_000,
    dependency: 'a.test:80',
  });
});

it('ends an attempt at the time-out of its type, as transient, and aborts the handler', async () => {
  const abort = new LazyAbort();
  const result = await attempt(compiled(forever, { timeoutMs: 20 }), { abort });
  expect(result).toMatchObject({ ok: false, errorClass: 'transient', message: 'no result within 20 ms' });
  expect(abort.signal.aborted).toBe(true);
});

it('ends an attempt at the deadline of its signal, as capacity', async () => {
  expect(await attempt(compiled(forever), { leftMs: 20 })).toMatchObject({
    ok: false,
    errorClass: 'capacity',
  });
});

it('rejects when its signal is to be released', async () => {
  const abort = new LazyAbort();
  const running = attempt(compiled(forever), { abort });
  abort.abort(new ReleasedError('the worker stops'));
  await expect(running).rejects.toThrow(ReleasedError);
});

it('rejects when its handler found no room, at once or later', async () => {
  const full = (): never => {
    throw new CapacityError('all threads are busy');
  };
  await expect(attempt(compiled(full))).rejects.toThrow(CapacityError);
  await expect(attempt(compiled(async () => full()))).rejects.toThrow(CapacityError);
});

it('counts a result that does not match the schema, is too large or is no JSON as a defect', async () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const faulty = [
    compiled(() => 1, { checkOutput: () => 'result must be string' }),
    compiled(() => 'x'.repeat(300 * 1024)),
    compiled(() => circular),
  ];
  for (const definition of faulty) {
    expect(await attempt(definition)).toMatchObject({ ok: false, errorClass: 'defect' });
  }
});

it('cuts a long message and never leaves it empty', async () => {
  const failing = (message: string): Promise<AttemptResult> =>
    attempt(
      compiled(() => {
        throw new Error(message);
      }),
    );
  expect(await failing('x'.repeat(5_000))).toMatchObject({ message: 'x'.repeat(1_000) });
  expect(await failing('')).toMatchObject({ message: 'unnamed error' });
});

it('gives errors of one cause one fingerprint, although details of their messages vary', async () => {
  const failing = (message: string): Error => new Error(message);
  const prints: string[] = [];
  for (const message of ['order 17 at 0xff', 'order 4711 at 0x1', 'customer 17']) {
    const result = await attempt(
      compiled(() => {
        throw failing(message);
      }),
    );
    if (!result.ok) prints.push(result.fingerprint);
  }
  expect(prints[0]).toBe(prints[1]);
  expect(prints[0]).not.toBe(prints[2]);
});
