import type { KanbanBoard, LineStatus } from '@tps/contracts';

/** The cards of a line, as kanban counts them. A signal in its backoff has given its card back. */
export function cardsOf({ types }: KanbanBoard, line: string): LineStatus['cards'] {
  const type = types[line];
  return type ? { limit: type.limit, in_use: type.counts?.in_flight ?? type.in_progress } : null;
}

/** The signals of a line, as kanban counts them. */
export function queueOf({ lanes, types }: KanbanBoard, line: string): LineStatus['queue'] {
  const queue = { waiting: 0, in_progress: 0, held: 0 };
  for (const lane of Object.values(lanes)) {
    if (lane.type !== line) continue;
    queue.waiting += lane.waiting;
    queue.in_progress += lane.in_progress;
    queue.held += lane.held;
  }
  const counts = types[line]?.counts;
  // One count for "held", so that the parts of a line add up.
  return counts ? { ...queue, held: counts.held, counts } : queue;
}

/** The signals of a line that no worker has; null while nobody knows. */
export function waitingOf(queue: LineStatus['queue']): number | null {
  if (!queue) return null;
  const { counts, waiting } = queue;
  return counts ? counts.queued + counts.held + counts.retrying : waiting;
}
