/** The bodies of the API. The same schemas check what comes in and make up the OpenAPI document. */
export * from './andon';
export * from './dead-letters';
export * from './fleet';
export * from './limits';
export * from './listing';
export * from './problem';
export * from './signals';
export * from './types';
