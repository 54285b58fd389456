import { SpanStatusCode } from '@opentelemetry/api';
import type { Outcome } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import type { HandlerContext, SignalDefinition } from '../definition';
import { DefectError, TransientError } from '../failure';
import { HOSTILE_RETURNED, HOSTILE_THROWN } from './hostile.fixture';
import { WorkerHarness, signal } from './worker-harness.fixture';

jest.setTimeout(60_000);

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  harness.serveRecords();
});
afterAll(() => harness.close());

type Run = (input: Record<string, unknown>, context: HandlerContext) => unknown;
const trap = (): never => {
  throw new Error('trap');
};

/** What handlers do to their arguments; the name tells whether the attempt fails. */
const ACTS: Record<string, Run> = {
  'makes its input circular and fails': (input) => {
    input.self = input;
    input.big = 1n;
    throw new DefectError('broken');
  },
  'empties its input, freezes it and fails': (input) => {
    for (const key of Object.keys(input)) delete input[key];
    Object.freeze(Object.setPrototypeOf(input, null));
    throw new DefectError('broken');
  },
  'writes to its own context': (_, context) => {
    Object.assign(context.signal, { id: {}, run: 'x', attempt: NaN });
    Object.defineProperty(context, 'signal', { get: trap });
  },
  'ends and breaks its span': (_, { span }) => {
    span.end(NaN);
    span.recordException({ message: trap } as never);
  },
  'sets odd values on its span': (_, { span }) => {
    span.setStatus(null as never).updateName(undefined as never);
    span.addEvent(
      undefined as never,
      {
        a: {
          get b() {
            return trap();
          },
        } as never,
      },
      NaN,
    );
    span.addLink({ context: { traceId: '"', spanId: '"', traceFlags: 1 } });
    span.setStatus({ code: SpanStatusCode.ERROR, message: {} as never });
    Object.assign(span, { end: trap, traceId: {} });
    Object.freeze(span);
  },
  'logs what cannot be written': (_, { log }) => {
    const cannot = Object.defineProperty({}, 'a', { get: trap, enumerable: true });
    log.error(Symbol('s') as never, { deep: cannot, error: new Proxy(new Error('x'), { get: trap }) });
    log.warn('x', cannot);
    expect(Object.keys(log)).toEqual(['error', 'warn', 'info', 'verbose', 'debug']);
  },
  'clears the metrics': (_, { metrics }) => metrics.clear(),
  'changes its definition': function (this: SignalDefinition) {
    Object.assign(this, { timeoutMs: 0, retry: null, name: {} });
  },
  'listens for its abort and throws': (_, { abort }) => {
    abort.addEventListener('abort', trap);
    abort.dispatchEvent(new Event('nothing'));
  },
  'keeps what it was given and uses it later': (_, { log, span, abort }) => {
    setTimeout(() => {
      log.info('late');
      span.setAttribute('late', true).addEvent('late').end();
      abort.throwIfAborted();
    }, 50);
  },
};

const starts = new Map<string, number>();
/** Counts how often the handler of each signal was started. */
const counted =
  (run: Run): SignalDefinition['run'] =>
  (input, context) => {
    const { id } = context.signal;
    starts.set(id, (starts.get(id) ?? 0) + 1);
    return run(input as Record<string, unknown>, context);
  };
const kindOf = (input: Record<string, unknown>): string => String(input.kind);

async function enqueueAll(type: string, kinds: Iterable<string>): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const kind of kinds) ids.set(await harness.enqueue(type, { payload: { kind, keep: 'me' } }), kind);
  return ids;
}
const records = (id: string): Outcome[] => harness.outcomes.filter(({ signal_id }) => signal_id === id);

test('every start of a handler leaves one record, whatever it throws; the circuit can count each', async () => {
  const throwing = counted((input) => {
    throw HOSTILE_THROWN[kindOf(input)]!();
  });
  const type = (name: string, max_attempts: number): SignalDefinition =>
    signal(name, throwing, { retry: { max_attempts, base_ms: 1, cap_ms: 1 } });
  await harness.worker('throwing', [type('once', 1), type('twice', 2)]);
  for (const name of ['once', 'twice']) {
    const ids = await enqueueAll(name, Object.keys(HOSTILE_THROWN));
    await Promise.all([...ids.keys()].map((id) => harness.finished(id)));
    await harness.drained(name);
    for (const [id, kind] of ids) {
      const attempts = records(id).map(({ status, attempt, message }) => [status, attempt, typeof message]);
      expect([kind, attempts.length]).toEqual([kind, starts.get(id)]);
      expect([kind, attempts.at(-1)]).toEqual([
        kind,
        [expect.stringMatching(/failed|rejected/), attempts.length, 'string'],
      ]);
      expect(records(id).every(({ error_class, fingerprint }) => error_class && fingerprint)).toBe(true);
    }
  }
});

test('every start of a handler leaves one record, whatever it returns', async () => {
  const returning = counted((input) => HOSTILE_RETURNED[kindOf(input)]!.make());
  const retry = { max_attempts: 1 };
  await harness.worker('returning', [signal('returning', returning, { retry, timeoutMs: 1_000 })]);
  const ids = await enqueueAll('returning', Object.keys(HOSTILE_RETURNED));
  await Promise.all([...ids.keys()].map((id) => harness.finished(id)));
  await harness.drained('returning');
  for (const [id, kind] of ids) {
    const status = HOSTILE_RETURNED[kind]!.ok ? 'succeeded' : 'failed';
    expect([kind, starts.get(id), harness.statusesOf(id)]).toEqual([kind, 1, [[status, 1]]]);
  }
});

test('every start of a handler leaves one record, whatever it does to its arguments', async () => {
  const acting = counted((input, context) => ACTS[kindOf(input)]!.call(acted, input, context));
  const acted = signal('acting', acting);
  await harness.worker('acting', [acted]);
  const ids = await enqueueAll('acting', Object.keys(ACTS));
  await Promise.all([...ids.keys()].map((id) => harness.finished(id)));
  await harness.drained('acting');
  for (const [id, kind] of ids) {
    const failed = kind.endsWith('fails');
    expect([kind, starts.get(id), harness.statusesOf(id)]).toEqual([
      kind,
      1,
      [[failed ? 'failed' : 'succeeded', 1]],
    ]);
  }
  // A dead letter holds the signal as it was sent, so that it can be requeued.
  const letter = await harness.lastDead('acting');
  expect(letter?.signal?.payload).toEqual({ kind: ids.get(letter!.signal!.id), keep: 'me' });
});

test('a handler that throws the abort reason of another attempt fails by itself', async () => {
  let reason: Error | undefined;
  const sharing = counted(async (_, { abort }) => {
    if (reason) throw reason;
    await new Promise((resolve) => abort.addEventListener('abort', resolve));
    reason = abort.reason as Error;
  });
  const retry = { max_attempts: 1 };
  await harness.worker('sharing', [signal('sharing', sharing, { retry })]);
  const first = await harness.enqueue('sharing', { timeout_ms: 200 });
  expect(await harness.finished(first)).toMatchObject({ status: 'failed', error_class: 'capacity' });
  await waitFor('the reason', () => reason !== undefined);
  const second = await harness.enqueue('sharing');
  expect(await harness.finished(second)).toMatchObject({ status: 'failed', error_class: 'transient' });
});

test('a retryAfterMs counts only if it is a number', async () => {
  const odd = counted((_, { signal: { attempt } }) => {
    if (attempt === 1) throw Object.assign(new TransientError('x'), { retryAfterMs: '3600000' });
  });
  await harness.worker('odd', [signal('odd', odd)]);
  const id = await harness.enqueue('odd');
  expect(await harness.finished(id)).toMatchObject({ status: 'succeeded', attempt: 2 });
});
