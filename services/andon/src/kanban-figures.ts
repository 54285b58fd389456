import type { KanbanBoard, LineStatus } from '@tps/contracts';

/** The cards of a line, as kanban counts them. */
export function cardsOf({ types }: KanbanBoard, line: string): LineStatus['cards'] {
  const type = types[line];
  return type ? { limit: type.limit, in_use: type.in_progress } : null;
}

/** The signals of a line, as kanban counts them. On a stopped line all of them are held. */
export function queueOf({ lanes }: KanbanBoard, line: string, held: boolean): LineStatus['queue'] {
  const queue = { waiting: 0, in_progress: 0, held: 0 };
  for (const lane of Object.values(lanes)) {
    if (lane.type !== line) continue;
    queue.waiting += lane.waiting;
    queue.in_progress += lane.in_progress;
  }
  return held ? { ...queue, held: queue.waiting + queue.in_progress } : queue;
}
