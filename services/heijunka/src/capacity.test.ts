import type { Beat, WorkerVitals } from '@tps/contracts';
import { capacityOf } from './capacity';

const worker = (instance: string, vitals: Partial<WorkerVitals>): Beat<'worker'> => ({
  v: 1,
  service: 'worker',
  instance,
  started_at: '',
  at: '',
  ready: true,
  vitals: { slots: 4, busy: 0, types: ['a'], started: 0, in_hand: {}, deaf: {}, ...vitals },
});
const perSecond = (per_s: number) => ({ a: { arrivals_per_s: per_s, backlog: 0, per_s } });

test('takt is available time over demand', () => {
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
])('%i signals a second of 100 ms need %i workers of 4 slots, 80 %% busy', (perS, needed) => {
  const facts = { demand: perSecond(perS), cycleMs: { a: 100 }, finished: {}, workers: [worker('w', {})] };
  expect(capacityOf(facts).workers_needed).toBe(needed);
});

test('utilisation and the distribution of work over workers', () => {
  const workers = [worker('w1', { busy: 3, started: 30 }), worker('w2', { busy: 1, started: 10 })];
  // One that has gone counts no more.
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

test('without workers nobody knows how many slots one has', () => {
  expect(capacityOf({ demand: perSecond(5), cycleMs: { a: 50 }, finished: {}, workers: [] })).toMatchObject({
    utilisation: 0,
    workers_needed: null,
    distribution: {},
  });
});

test('work is evenly spread when each worker does as much as its share of the slots', () => {
  const workers = [worker('big', { slots: 12 }), worker('small', {})];
  const evenness = (finished: Record<string, number>) =>
    capacityOf({ demand: {}, cycleMs: {}, finished, workers }).evenness;
  expect(evenness({ big: 30, small: 10 })).toBe(1);
  expect(evenness({ big: 0, small: 10 })).toBe(0.25);
  expect(evenness({})).toBeNull();
});
