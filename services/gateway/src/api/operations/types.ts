import { type Operation, TYPE } from '../operation';

/** The signal types that the fleet knows. */
export const typeOperations = {
  types: {
    method: 'get',
    path: '/types',
    role: 'client',
    tag: 'Types',
    summary: 'Every signal type: its limits, who serves it, whether its line runs, what waits',
    description: 'A type is known from when a worker announces it until somebody retires it.',
    answers: { 200: { description: 'The types by name', schema: 'Types' } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  },
  retireType: {
    method: 'delete',
    path: '/types/{type}',
    role: 'operator',
    tag: 'Types',
    summary: 'Retire a type that no worker serves and that has no work left',
    description:
      'Its lanes, circuit, cards, rate and light go, and a call on its line is closed; the history says who did it. Dead ' +
      'letters of the type stay, and are not requeued. A worker that announces the type later brings it back as new.',
    parameters: [TYPE],
    body: 'RetireRequest',
    optionalBody: true,
    answers: { 200: { description: 'The type is retired', schema: 'RetiredType' } },
    errors: ['UNKNOWN_TYPE', 'TYPE_HAS_WORK', 'TYPE_SERVED', 'UNAVAILABLE'],
    examples: ['-X DELETE', `-X DELETE -d '{"reason":"replaced by resize-v2","by":"bob"}'`],
  },
} satisfies Record<string, Operation>;
