import type { Operation } from '../operation';

/** The state of the fleet as a whole. */
export const fleetOperations = {
  health: {
    method: 'get',
    path: '/health',
    role: 'anyone',
    tag: 'Fleet',
    summary: 'The health of the fleet',
    description: '503 only when no work of any type can be accepted; `reasons` says why it is not healthy.',
    answers: {
      200: { description: 'Work can be accepted', schema: 'Health' },
      503: { description: 'No work can be accepted', schema: 'Health' },
    },
    errors: [],
    examples: [''],
  },
  live: {
    method: 'get',
    path: '/health/live',
    role: 'anyone',
    tag: 'Fleet',
    summary: 'Whether this process runs; restart it when it does not answer',
    answers: { 200: { description: 'It does', schema: 'Live' } },
    errors: [],
    examples: [''],
  },
  ready: {
    method: 'get',
    path: '/health/ready',
    role: 'anyone',
    tag: 'Fleet',
    summary: 'Whether this gateway should get requests',
    answers: {
      200: { description: 'It should', schema: 'Ready' },
      503: { description: 'It should not; `reasons` says why', schema: 'Ready' },
    },
    errors: [],
    examples: [''],
  },
  metrics: {
    method: 'get',
    path: '/metrics',
    role: 'client',
    tag: 'Fleet',
    summary: 'Counts, rates and durations, per type as well',
    answers: {
      200: { description: 'The figures', schema: 'Metrics', text: ['text/plain'] },
    },
    errors: ['UNAVAILABLE'],
    examples: ['', `-H 'Accept: text/plain'`],
  },
  info: {
    method: 'get',
    path: '/info',
    role: 'client',
    tag: 'Fleet',
    summary: 'Version and configuration',
    answers: { 200: { description: 'Version and configuration of this system', schema: 'Info' } },
    errors: [],
    examples: [''],
  },
  status: {
    method: 'get',
    path: '/status',
    role: 'client',
    tag: 'Fleet',
    summary: 'Health and metrics together',
    answers: { 200: { description: 'Both', schema: 'Status' } },
    errors: [],
    examples: [''],
  },
} satisfies Record<string, Operation>;
