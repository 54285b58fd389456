import type { Operation } from '../operation';

function board(service: string, summary: string): Operation {
  return {
    method: 'get',
    path: `/${service}`,
    role: 'client',
    tag: 'Stations',
    summary,
    answers: { 200: { description: 'The board', schema: 'Board' } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  };
}

/** What each service shows of itself. */
export const stationOperations = {
  jidoka: board('jidoka', 'Circuits: which lines run, which are stopped'),
  kanban: board('kanban', 'The queue: lanes, cards, buffer'),
  andon: board('andon', 'Colours of lines and stations'),
  kaizen: board('kaizen', 'Counts and true percentiles'),
  heijunka: board('heijunka', 'The level schedule, takt and distribution'),
} satisfies Record<string, Operation>;
