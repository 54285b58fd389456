import { make } from './elements.js';

/** One event in the life of a signal, as the gateway tells it. */
export interface Step {
  at: string;
  event: string;
  worker_id?: string;
  attempt?: number;
  status?: string;
  message?: string;
}

export function steps(timeline: readonly Step[]): HTMLElement {
  const start = Date.parse(timeline[0]?.at ?? '');
  const lines = timeline.map(({ at, event, worker_id, attempt, status, message }) => {
    const parts = [
      event.replaceAll('_', ' '),
      worker_id && `on ${worker_id}`,
      attempt && `attempt ${attempt}`,
      status,
      message,
    ];
    return make('li', { text: `+${Date.parse(at) - start} ms: ${parts.filter(Boolean).join(', ')}` });
  });
  return make('ol', {}, ...lines);
}
