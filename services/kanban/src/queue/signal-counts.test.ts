import type { SignalCounts, WorkerVitals } from '@tps/contracts';
import { countSignals, loadOf, type TypeLoad } from './signal-counts';

const none = { in_flight: 0, running: 0, retrying: 0 };

const cases: [string, [waiting: number, in_progress: number], Partial<TypeLoad>, boolean, SignalCounts][] = [
  ['nothing', [0, 0], {}, false, { queued: 0, held: 0, ...none }],
  [
    'more than the slots',
    [5, 4],
    { in_flight: 4, running: 4 },
    false,
    { queued: 5, held: 0, ...{ in_flight: 4, running: 4, retrying: 0 } },
  ],
  ['a signal in its backoff', [0, 1], { retrying: 1 }, false, { queued: 0, held: 0, ...none, retrying: 1 }],
  ['a released signal whose backoff is over', [0, 1], {}, false, { queued: 1, held: 0, ...none }],
  [
    'a stopped line: a backoff changes nothing',
    [3, 2],
    { retrying: 2 },
    true,
    { queued: 0, held: 5, ...none },
  ],
  [
    'a stopped line that still works on one',
    [3, 1],
    { in_flight: 1, running: 1 },
    true,
    { queued: 0, held: 3, retrying: 0, in_flight: 1, running: 1 },
  ],
  [
    'a heartbeat older than the last acknowledgement',
    [0, 1],
    { in_flight: 4, running: 4 },
    false,
    { queued: 0, held: 0, retrying: 0, in_flight: 1, running: 1 },
  ],
  ['a killed worker, whose signals nobody has', [0, 3], {}, false, { queued: 3, held: 0, ...none }],
  [
    'a signal delivered since the heartbeat, to a free slot',
    [0, 1],
    { free: 4 },
    false,
    { queued: 0, held: 0, retrying: 0, in_flight: 1, running: 1 },
  ],
  [
    'released signals beyond the cards',
    [0, 3],
    { free: 4 },
    false,
    { queued: 1, held: 0, retrying: 0, in_flight: 2, running: 2 },
  ],
  ['a stopped line with free slots', [0, 1], { free: 4 }, true, { queued: 0, held: 1, ...none }],
];
test.each(cases)('each signal counts once: %s', (...[, [waiting, in_progress], load, stopped, expected]) => {
  const counts = countSignals({ waiting, in_progress, limit: 2, stopped }, { ...none, free: 0, ...load });
  expect(counts).toEqual(expected);
  expect(counts.queued + counts.held + counts.retrying + counts.in_flight).toBe(waiting + in_progress);
});

test('the load of a type is summed over all workers; one of the previous version reports its claims', () => {
  const fixed = { slots: 4, busy: 1, types: ['drill'], started: 1, deaf: {} };
  const workers: WorkerVitals[] = [
    {
      ...fixed,
      in_hand: { drill: 4 },
      in_flight: { drill: 2 },
      running: { drill: 1 },
      retrying: { drill: 3 },
    },
    { ...fixed, in_hand: { drill: 1, press: 9 } },
  ];
  expect(loadOf(workers, 'drill')).toEqual({ in_flight: 3, running: 2, retrying: 3, free: 6 });
  expect(loadOf(workers, 'saw')).toEqual({ ...none, free: 0 });
});
