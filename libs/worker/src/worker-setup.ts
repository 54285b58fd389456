import { Type } from '@sinclair/typebox';
import { type ConfigOf, fleetVariables } from '@tps/service';
import type { SignalDefinition } from './definition';

/** The variables of every worker process. */
export const workerVariables = {
  TPS_NUM_WORKERS: fleetVariables.TPS_NUM_WORKERS,
  TPS_MAX_ATTEMPTS: Type.Integer({
    default: 3,
    minimum: 1,
    maximum: 100,
    description: 'number of attempts for signal types without a retry policy of their own',
  }),
  TPS_CHAOS: Type.Union([Type.Literal('0'), Type.Literal('1')], {
    default: '0',
    description: '`1` lets any payload request faults with `chaos`, for drills',
  }),
};
/** The values of `workerVariables`. */
export type WorkerConfig = ConfigOf<typeof workerVariables>;

export interface WorkerSetup {
  signals: SignalDefinition[];
  /** By type: dependencies that its handlers leave alone at present, because they failed. The board names them. */
  failing?: () => Record<string, string[]>;
  /** Called after the last handler has ended. */
  close?: () => Promise<void>;
}
