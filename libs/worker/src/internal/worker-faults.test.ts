import type * as acknowledgement from './acknowledgement';
import { WorkerHarness, signal } from './worker-harness.fixture';
import type * as span from './span';

jest.setTimeout(60_000);

/** Makes the worker itself fail for signals of these types, at the step that their names tell. */
jest.mock('./span', () => {
  const real = jest.requireActual<typeof span>('./span');
  return {
    startSpan: (...args: Parameters<typeof real.startSpan>) => {
      if (args[1].signal.signal_type === 'before') throw new Error('no span');
      return real.startSpan(...args);
    },
    endSpan: (...args: Parameters<typeof real.endSpan>) => {
      if (args[1].message === 'after done') throw new Error('no end');
      return real.endSpan(...args);
    },
  };
});
jest.mock('./acknowledgement', () => ({
  ...jest.requireActual<typeof acknowledgement>('./acknowledgement'),
  releaseDelayMs: () => 20,
}));

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  harness.serveRecords();
});
afterAll(() => harness.close());

let runs = 0;
const run = (): number => (runs += 1);
beforeEach(() => (runs = 0));

test('a fault of the worker before the start releases the signal a bounded number of times, then fails it', async () => {
  await harness.worker('before', [signal('before', run)]);
  const id = await harness.enqueue('before');
  const fault = 'fault in the worker before the start: no span';
  expect(await harness.finished(id)).toMatchObject({
    status: 'failed',
    error_class: 'defect',
    attempt: 0,
    message: fault,
    fingerprint: 'fault:before',
  });
  await harness.drained('before');
  expect(harness.statusesOf(id)).toEqual([
    ...Array.from({ length: 4 }, () => ['returned', 0]),
    ['failed', 0],
  ]);
  expect(harness.of('before').map(({ faults = 0 }) => faults)).toEqual([1, 2, 3, 4, 0]);
  expect(runs).toBe(0);
  expect(await harness.lastDead('before')).toMatchObject({ outcome: { message: fault } });
});

test('a fault of the worker after the start is one recorded attempt', async () => {
  await harness.worker('after', [signal('after', run)]);
  const id = await harness.enqueue('after');
  expect(await harness.finished(id)).toMatchObject({
    status: 'failed',
    error_class: 'defect',
    attempt: 1,
    message: 'the worker failed to account for this attempt: no end',
  });
  await harness.drained('after');
  expect([runs, harness.statusesOf(id)]).toEqual([1, [['failed', 1]]]);
});
