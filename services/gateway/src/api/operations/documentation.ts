import type { Operation } from '../operation';

/** The API about itself. */
export const documentationOperations = {
  openapi: {
    method: 'get',
    path: '/openapi.json',
    role: 'anyone',
    tag: 'Documentation',
    summary: 'This API as OpenAPI 3.1',
    answers: { 200: { description: 'The document', schema: 'Board' } },
    errors: [],
    examples: [''],
  },
  page: {
    method: 'get',
    path: '/',
    role: 'anyone',
    tag: 'Documentation',
    summary: 'This API as a page',
    answers: { 200: { description: 'HTML', text: ['text/html'] } },
    errors: [],
    examples: [''],
  },
} satisfies Record<string, Operation>;
