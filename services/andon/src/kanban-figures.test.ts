import type { KanbanBoard } from '@tps/contracts';
import { cardsOf, queueOf, waitingOf } from './kanban-figures';

const lane = (type: string, waiting: number, in_progress = 0, held = 0) => ({
  type,
  waiting,
  in_progress,
  held,
});
const counts = { queued: 4, held: 2, retrying: 1, in_flight: 3, running: 2 };
const board = (types: object): KanbanBoard =>
  ({
    lanes: { demo_1: lane('demo', 1, 1), demo_3: lane('demo', 5, 2, 3), demo_x_3: lane('demo_x', 9) },
    types,
  }) as unknown as KanbanBoard;

test('a line adds up its lanes, and no other line whose name begins the same', () => {
  expect(queueOf(board({}), 'demo')).toEqual({ waiting: 6, in_progress: 3, held: 3 });
  expect(queueOf(board({}), 'unknown')).toEqual({ waiting: 0, in_progress: 0, held: 0 });
});

test('the counts of the type win over the sum of the lanes, so that the parts add up', () => {
  expect(queueOf(board({ demo: { limit: 5, in_progress: 4, counts } }), 'demo')).toMatchObject({
    held: 2,
    counts,
  });
});

test('signals that no worker has are those that wait for a slot, their line or their backoff', () => {
  expect(waitingOf(null)).toBeNull();
  expect(waitingOf({ waiting: 6, in_progress: 3, held: 3 })).toBe(6);
  expect(waitingOf({ waiting: 6, in_progress: 3, held: 3, counts })).toBe(7);
});

test('a signal in its backoff uses no card', () => {
  expect(cardsOf(board({ demo: { limit: 5, in_progress: 4, counts } }), 'demo')).toEqual({
    limit: 5,
    in_use: 3,
  });
  expect(cardsOf(board({ demo: { limit: 5, in_progress: 4 } }), 'demo')).toEqual({ limit: 5, in_use: 4 });
  expect(cardsOf(board({}), 'demo')).toBeNull();
});
