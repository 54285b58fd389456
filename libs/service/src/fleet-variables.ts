import { Type } from '@sinclair/typebox';
import { LEASE_MS } from '@tps/contracts';

/** Variables that several services read: one service acts on each, and the gateway shows all of them in `/info`. */
export const fleetVariables = {
  TPS_NUM_WORKERS: Type.Integer({
    default: 4,
    minimum: 1,
    maximum: 512,
    description: 'slots of one worker process, the number of signals it runs at once',
  }),
  TPS_HEIJUNKA_POOL: Type.Integer({
    default: 1,
    minimum: 0,
    maximum: 256,
    description: 'number of worker processes to start; 0 starts none, for workers of your own',
  }),
  TPS_KANBAN_BUFFER: Type.Integer({
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    description: 'number of signals that may be accepted and unfinished at once',
  }),
  TPS_LEASE_MS: Type.Integer({
    default: LEASE_MS.default,
    minimum: LEASE_MS.min,
    maximum: LEASE_MS.max,
    description:
      'milliseconds after which other workers get the signals of a worker that died or hangs; the same for kanban and all workers',
  }),
  TPS_CB_THRESHOLD: Type.Integer({
    default: 5,
    minimum: 1,
    maximum: 1000,
    description:
      'failed attempts in a row that open the circuit of a signal type, if they are of at least three signals (or as many as this number) and, where two workers serve the type, of two workers',
  }),
  TPS_CB_TIMEOUT: Type.Number({
    default: 30,
    minimum: 0.1,
    maximum: 86_400,
    description:
      'seconds until an open circuit allows a trial; doubles after each failed trial, up to 8 times this value',
  }),
};
