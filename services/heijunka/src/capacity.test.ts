import { capacityOf } from './capacity';
import { workerHeartbeat } from './heartbeat.fixture';

const perSecond = (per_s: number) => ({ a: { arrivals_per_s: per_s, backlog: 0, per_s } });

test('takt is the time between two signals of the demand, and null without demand', () => {
  expect(capacityOf({ demand: perSecond(20), cycleMs: {}, finished: {}, workers: [] }).takt_ms).toEqual({
    a: 50,
  });
  expect(capacityOf({ demand: perSecond(0), cycleMs: {}, finished: {}, workers: [] }).takt_ms).toEqual({
    a: null,
  });
});

test.each([
  [0, 1],
  [20, 1],
  [32, 1],
  [33, 2],
  [320, 10],
])('%i signals a second of 100 ms need %i workers with 4 slots that are 80 %% busy', (perS, needed) => {
  const facts = {
    demand: perSecond(perS),
    cycleMs: { a: 100 },
    finished: {},
    workers: [workerHeartbeat('w')],
  };
  expect(capacityOf(facts).workers_needed).toBe(needed);
});

test('utilisation and distribution count the living workers only', () => {
  const workers = [
    workerHeartbeat('w1', { busy: 3, started: 30 }),
    workerHeartbeat('w2', { busy: 1, started: 10 }),
  ];
  const finished = { w1: 75, w2: 25, gone: 500 };
  expect(capacityOf({ demand: {}, cycleMs: {}, finished, workers })).toEqual({
    takt_ms: {},
    utilisation: 0.5,
    workers_needed: 1,
    distribution: {
      w1: { slots: 4, busy: 3, started: 30, share: 0.75 },
      w2: { slots: 4, busy: 1, started: 10, share: 0.25 },
    },
    evenness: 0.75,
  });
});

test('without workers the number of workers needed is unknown', () => {
  expect(capacityOf({ demand: perSecond(5), cycleMs: { a: 50 }, finished: {}, workers: [] })).toMatchObject({
    utilisation: 0,
    workers_needed: null,
    distribution: {},
  });
});

test('evenness is 1 when the work of each worker matches its share of the slots', () => {
  const workers = [workerHeartbeat('big', { slots: 12 }), workerHeartbeat('small')];
  const evenness = (finished: Record<string, number>) =>
    capacityOf({ demand: {}, cycleMs: {}, finished, workers }).evenness;
  expect(evenness({ big: 30, small: 10 })).toBe(1);
  expect(evenness({ big: 0, small: 10 })).toBe(0.25);
  expect(evenness({})).toBeNull();
});
