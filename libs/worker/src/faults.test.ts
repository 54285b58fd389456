import type * as held from './held';
import { Rig, signal } from './rig.fixture';
import type * as span from './span';

jest.setTimeout(60_000);

/** The worker itself fails for signals of these types, at the places that they name. */
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
jest.mock('./held', () => ({
  ...jest.requireActual<typeof held>('./held'),
  laterMs: () => 20,
}));

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
  rig.serveRecords();
});
afterAll(() => rig.close());

let runs = 0;
const run = (): number => (runs += 1);
beforeEach(() => (runs = 0));

test('a fault of the worker before the start hands back a bounded number of times, then fails with its reason', async () => {
  await rig.worker('before', [signal('before', run)]);
  const id = await rig.enqueue('before');
  const fault = 'fault in the worker before the start: no span';
  expect(await rig.finished(id)).toMatchObject({
    status: 'failed',
    error_class: 'defect',
    attempt: 0,
    message: fault,
    fingerprint: 'fault:before',
  });
  await rig.drained('before');
  expect(rig.told(id)).toEqual([...Array.from({ length: 4 }, () => ['returned', 0]), ['failed', 0]]);
  expect(rig.of('before').map(({ faults = 0 }) => faults)).toEqual([1, 2, 3, 4, 0]);
  expect(runs).toBe(0);
  expect(await rig.lastDead('before')).toMatchObject({ outcome: { message: fault } });
});

test('a fault of the worker after the start is one recorded attempt', async () => {
  await rig.worker('after', [signal('after', run)]);
  const id = await rig.enqueue('after');
  expect(await rig.finished(id)).toMatchObject({
    status: 'failed',
    error_class: 'defect',
    attempt: 1,
    message: 'the worker failed to account for this attempt: no end',
  });
  await rig.drained('after');
  expect([runs, rig.told(id)]).toEqual([1, [['failed', 1]]]);
});
