import { ID, type Operation, type Parameter, PREFER } from '../operation';

const REDRIVE_ID: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The `id` of the answer to `POST /kanban/dead/redrive`',
  schema: { type: 'string', format: 'uuid' },
};

/** Dead letters, and requeueing them. */
export const deadLetterOperations = {
  deadLetters: {
    method: 'get',
    path: '/kanban/dead',
    role: 'client',
    tag: 'Dead letters',
    summary: 'Signals that failed or expired, newest first',
    description:
      'Each is kept for 30 days, payload and all, and is gone from here once its next run is queued.',
    query: 'LettersQuery',
    answers: { 200: { description: 'A page of dead letters', schema: 'DeadLetters' } },
    errors: ['UNAVAILABLE'],
    examples: ['', '-G -d type=execute -d class=transient -d limit=10'],
  },
  deadLetter: {
    method: 'get',
    path: '/kanban/dead/{id}',
    role: 'operator',
    tag: 'Dead letters',
    summary: 'A whole dead letter, with its payload',
    parameters: [ID],
    answers: { 200: { description: 'The dead letter', schema: 'DeadLetter' } },
    errors: ['NOT_FOUND', 'UNAVAILABLE'],
    examples: [''],
  },
  redriveDead: {
    method: 'post',
    path: '/kanban/dead/redrive',
    role: 'operator',
    tag: 'Dead letters',
    summary: 'Requeue dead letters: probes first, then the rest at a limited rate',
    description:
      'A dead letter disappears when its next run is queued. When a probe does not succeed, or a line stops, the ' +
      'redrive job stops itself and says where; the dead letters that it has not taken stay. The job continues after a ' +
      'restart of kanban. Dead letters of a retired type are not requeued before a worker announces the type.',
    parameters: [
      PREFER(
        '`respond-async`: answer at once; `wait=n`: wait up to n seconds (at most 60) for its end. Default: 10 seconds',
      ),
    ],
    body: 'RedriveRequest',
    answers: {
      200: { description: 'The dead letters that it would take, for `dry_run`', schema: 'RedriveDryRun' },
      202: { description: 'How far it got; `Location` tells the rest', schema: 'Redrive' },
    },
    errors: ['UNKNOWN_SIGNAL_TYPE', 'REDRIVES_BUSY', 'UNAVAILABLE'],
    examples: [
      `-d '{"filter":{"type":"execute"},"probe":[1,5],"max_per_s":20}'`,
      `-d '{"filter":{"class":"defect"},"dry_run":true}'`,
    ],
  },
  purgeDead: {
    method: 'delete',
    path: '/kanban/dead',
    role: 'operator',
    tag: 'Dead letters',
    summary: 'Delete dead letters for good; never without a filter',
    description: 'The filter is in the query, or in the body as `filter` or `ids`.',
    query: 'PurgeQuery',
    body: 'PurgeRequest',
    optionalBody: true,
    answers: { 200: { description: 'How many are gone', schema: 'Purged' } },
    errors: ['UNAVAILABLE'],
    examples: ['-X DELETE -G -d type=execute -d until=2026-01-31T00:00:00Z'],
  },
  redrives: {
    method: 'get',
    path: '/kanban/redrives',
    role: 'client',
    tag: 'Dead letters',
    summary: 'Running redrive jobs, and the latest that ended',
    answers: { 200: { description: 'The redrive jobs', schema: 'Redrives' } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  },
  redrive: {
    method: 'get',
    path: '/kanban/redrives/{id}',
    role: 'client',
    tag: 'Dead letters',
    summary: 'The progress of a redrive job',
    parameters: [REDRIVE_ID, PREFER('`wait=n`: wait up to n seconds (at most 60) for its end')],
    answers: { 200: { description: 'The redrive job', schema: 'Redrive' } },
    errors: ['NOT_FOUND', 'UNAVAILABLE'],
    examples: ['', `-H 'Prefer: wait=10'`],
  },
  cancelRedrive: {
    method: 'delete',
    path: '/kanban/redrives/{id}',
    role: 'operator',
    tag: 'Dead letters',
    summary: 'End a redrive job; dead letters that it has not taken stay',
    parameters: [REDRIVE_ID],
    answers: { 200: { description: 'The redrive job', schema: 'Redrive' } },
    errors: ['NOT_FOUND', 'UNAVAILABLE'],
    examples: ['-X DELETE'],
  },
} satisfies Record<string, Operation>;
