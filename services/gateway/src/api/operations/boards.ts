import { BOARD_SERVICES, type BoardService, FLEET, recordOf } from '@tps/contracts';
import { type Operation, type SchemaName, TYPE } from '../operation';
import * as schemas from '../schemas';

function board(service: BoardService): Operation {
  return {
    method: 'get',
    path: `/${service}`,
    role: 'client',
    tag: 'Stations',
    summary: FLEET[service].board,
    answers: { 200: { description: 'The board', schema: schemaOf(service) } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  };
}

/** `KanbanBoard` for `kanban`; `Board`, which allows any object, for a service whose board has no schema. */
function schemaOf(service: BoardService): SchemaName {
  const name = `${service.charAt(0).toUpperCase()}${service.slice(1)}Board`;
  return name in schemas ? (name as SchemaName) : 'Board';
}

const boards = recordOf(BOARD_SERVICES, board);

/** The boards of the services, and the settings of stations. */
export const boardOperations = {
  ...boards,
  andon: {
    ...boards.andon,
    description: 'The board as a page, or as JSON for who asks for `application/json`.',
    answers: { 200: { description: 'The board', schema: 'AndonBoard', text: ['text/html'] } },
    examples: [`-H 'Accept: application/json'`],
  },
  suggestions: {
    method: 'get',
    path: '/kaizen/suggestions',
    role: 'client',
    tag: 'Stations',
    summary: 'Suggested improvements, from the facts of the last hour',
    description:
      'A share is one of at least 20 signals of a type. Each suggestion says which standard is not kept, by how much, and one trace to look at.',
    answers: { 200: { description: 'Most important first', schema: 'Suggestions' } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  },
  setCards: {
    method: 'put',
    path: '/kanban/{type}',
    role: 'operator',
    tag: 'Stations',
    summary: 'Set the cards of a type: how many of its signals may be in progress',
    description:
      'The bound holds over all priorities and workers. To let nothing of a type run, pull the cord instead.',
    parameters: [TYPE],
    body: 'CardsChange',
    answers: { 200: { description: 'The limit in force', schema: 'CardsState' } },
    errors: ['UNKNOWN_SIGNAL_TYPE', 'UNAVAILABLE'],
    examples: [`-X PUT -d '{"cards":3}'`, `-X PUT -d '{"cards":"auto"}'`, `-X PUT -d '{"cards":null}'`],
  },
  setRate: {
    method: 'put',
    path: '/heijunka/{type}',
    role: 'operator',
    tag: 'Stations',
    summary: 'Level the volume of a type: how many of its signals may start per second',
    description:
      'Starts are spaced evenly, over all workers; retries count. Signals that may not start yet wait.',
    parameters: [TYPE],
    body: 'RateChange',
    answers: { 200: { description: 'The rate in force', schema: 'RateState' } },
    errors: ['UNKNOWN_SIGNAL_TYPE', 'UNAVAILABLE'],
    examples: [`-X PUT -d '{"max_per_s":5}'`, `-X PUT -d '{"max_per_s":null}'`],
  },
} satisfies Record<string, Operation>;
