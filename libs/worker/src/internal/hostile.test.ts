import fc from 'fast-check';
import { ERROR_CLASSES, laneName, type Outcome, type Signal } from '@tps/contracts';
import type { Msg } from '@nats-io/transport-node';
import { LazyAbort } from './lazy-abort';
import { type AttemptResult, type CompiledDefinition, runAttempt } from './attempt';
import { compile } from './compile';
import type { HandlerContext } from '../definition';
import type { InFlightSignal } from './in-flight-signal';
import type { QueueLife } from './queue-life';
import { HOSTILE_RETURNED, HOSTILE_THROWN, rejected } from './hostile.fixture';
import { conclude, outcomeOf } from './conclusion';

const HOUR_MS = 3_600_000;
const MESSAGE_LIMIT = 1_000;

async function attempt(
  run: CompiledDefinition['run'],
  output?: CompiledDefinition['output'],
  limitMs = HOUR_MS,
): Promise<AttemptResult> {
  const definition = compile({ name: 'demo', run, ...(output ? { output } : {}) }, 3, false);
  const limits = { abort: new LazyAbort(), deadlineMs: Date.now() + limitMs };
  return runAttempt(definition, {}, {} as HandlerContext, limits);
}

/** The outcome of a result, as it is read from the log. */
function recorded(result: AttemptResult): Outcome {
  const signal: Signal = {
    ...{ v: 1, id: 'id-1', run: 0, signal_type: 'demo', priority: 3, payload: {}, timeout_ms: HOUR_MS },
    created_at: new Date().toISOString(),
  };
  const definition = compile({ name: 'demo', run: () => 1 }, 3, false);
  const inFlight: InFlightSignal = {
    ...{ definition, attempt: 1, deadlineMs: Date.now() + HOUR_MS, abort: new LazyAbort() },
    ...{ signal, lane: laneName('demo', 3), msg: {} as Msg, trace: undefined, suspect: false },
    info: { deliveries: 1, streamSeq: 1, consumerSeq: 1, storedAtMs: 0, pending: 0, consumer: 'demo_3' },
    ...{ place: 1, plannedMs: 0, life: {} as QueueLife, lifeNo: 0, entry: -1 },
  };
  const conclusion = conclude({ inFlight, result, nowMs: Date.now() });
  return JSON.parse(JSON.stringify(outcomeOf(conclusion, inFlight, 'w'))) as Outcome;
}

function expectFailure(result: AttemptResult): void {
  const { success, attempt, message, error_class, fingerprint } = recorded(result);
  expect([success, attempt, typeof message]).toEqual([false, 1, 'string']);
  expect(message.length).toBeGreaterThan(0);
  expect(message.length).toBeLessThanOrEqual(MESSAGE_LIMIT);
  expect(Buffer.from(message).toString()).toBe(message);
  expect(ERROR_CLASSES).toContain(error_class);
  expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
}

const WAYS: Record<string, (thrown: unknown) => CompiledDefinition['run']> = {
  'throws at once': (thrown) => () => {
    throw thrown;
  },
  rejects: (thrown) => () => rejected(thrown),
  'rejects later': (thrown) => async () => {
    await Promise.resolve();
    throw thrown;
  },
  'rejects by a thenable': (thrown) => () => ({
    then: (_: unknown, reject: (reason: unknown) => void) => reject(thrown),
  }),
  'throws in then': (thrown) => () => ({
    then: () => {
      throw thrown;
    },
  }),
};

describe.each(Object.keys(WAYS))('a handler that %s', (way) => {
  test.each(Object.keys(HOSTILE_THROWN))('fails with %s', async (what) => {
    expectFailure(await attempt(WAYS[way]!(HOSTILE_THROWN[what]!())));
  });
});

describe.each([
  ['', (make: () => unknown) => make],
  [' later', (make: () => unknown) => async () => make()],
])('a handler that returns%s', (_, way) => {
  test.each(Object.entries(HOSTILE_RETURNED).map(([what, { ok }]) => [what, ok] as const))(
    '%s: %s',
    async (what, ok) => {
      // One of them never settles.
      const result = await attempt(way(HOSTILE_RETURNED[what]!.make), undefined, 500);
      expect(result.ok).toBe(ok);
      if (!result.ok) expectFailure(result);
      else expect(recorded(result)).toMatchObject({ status: 'succeeded', attempt: 1 });
    },
  );
});

test('a result that an output schema cannot look at is a defect', async () => {
  const output = { type: 'object', required: ['a'], properties: { a: { type: 'string' } } } as never;
  const { make } = HOSTILE_RETURNED['a getter that throws']!;
  expect(await attempt(make, output)).toMatchObject({ ok: false, errorClass: 'defect' });
});

const anything = fc.anything({
  ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withSparseArray: true },
  ...{ withTypedArray: true, withNullPrototype: true, withObjectString: true },
});
/** A field that has a value of any kind, or throws one when it is read. */
const field = fc.record({ value: anything, throws: fc.boolean() });
const NAMES = ['message', 'name', 'stack', 'cause', 'retryAfterMs', 'then', 'toJSON', 'toString'];
const fields = fc.record(Object.fromEntries(NAMES.map((name) => [name, field])), { requiredKeys: [] });

/** Built in the test and not by fast-check, which would read its fields. */
function odd(base: object, given: Record<string, { value: unknown; throws: boolean } | undefined>): object {
  // Node formats a stack when it is first read or redefined, by reading name and message.
  void (base as Error).stack;
  for (const [name, { value, throws } = { value: 1, throws: false }] of Object.entries(given)) {
    const read = (): unknown => {
      if (throws) throw value;
      return value;
    };
    Object.defineProperty(base, name, { get: read });
  }
  return base;
}

test('any thrown value, thrown in any way, is one failed attempt with class, message and fingerprint', async () => {
  const ways = fc.constantFrom(...Object.values(WAYS));
  await fc.assert(
    fc.asyncProperty(anything, ways, async (thrown, way) => expectFailure(await attempt(way(thrown)))),
  );
  await fc.assert(
    fc.asyncProperty(fields, ways, async (given, way) => {
      expectFailure(await attempt(way(odd(new TypeError('x'), given))));
    }),
  );
});

test('any return value is one attempt that succeeds with JSON or fails', async () => {
  const check = async (make: () => unknown, later: boolean): Promise<void> => {
    // A thenable may also never settle.
    const result = await attempt(later ? async () => make() : make, undefined, 50);
    if (!result.ok) return expectFailure(result);
    expect(recorded(result)).toMatchObject({ status: 'succeeded', attempt: 1 });
    if (result.json !== undefined) expect(() => JSON.parse(result.json ?? '') as unknown).not.toThrow();
  };
  await fc.assert(
    fc.asyncProperty(anything, fc.boolean(), (returned, later) => check(() => returned, later)),
  );
  await fc.assert(
    fc.asyncProperty(fields, fc.boolean(), (given, later) => check(() => odd({}, given), later)),
  );
});
