import { Type } from '@sinclair/typebox';

/**
 * Variables that more than one service reads: the one that acts on them, and the gateway, which shows them in `/info`.
 * Each takes those it needs.
 */
export const fleetVariables = {
  TPS_NUM_WORKERS: Type.Integer({
    default: 4,
    minimum: 1,
    maximum: 512,
    description: 'slots of one worker process: signals it works on at once',
  }),
  TPS_HEIJUNKA_POOL: Type.Integer({
    default: 1,
    minimum: 0,
    maximum: 256,
    description: 'worker processes that are started; 0: only those you start yourself',
  }),
  TPS_KANBAN_BUFFER: Type.Integer({
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    description: 'signals that may be accepted and unfinished',
  }),
  TPS_CB_THRESHOLD: Type.Integer({
    default: 5,
    minimum: 1,
    maximum: 1000,
    description: 'consecutive failed attempts that open the circuit of a signal type',
  }),
  TPS_CB_TIMEOUT: Type.Number({
    default: 30,
    minimum: 0.1,
    maximum: 86_400,
    description: 'seconds before an open circuit lets a trial through; doubles up to 8 times this',
  }),
};
