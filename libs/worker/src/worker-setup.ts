import { Type } from '@sinclair/typebox';
import { RETRY_DEFAULTS, RETRY_LIMITS } from '@tps/contracts';
import { type ConfigOf, fleetVariables } from '@tps/service';
import type { SignalDefinition } from './definition';

/** The variables of every worker process. */
export const workerVariables = {
  TPS_NUM_WORKERS: fleetVariables.TPS_NUM_WORKERS,
  TPS_LEASE_MS: fleetVariables.TPS_LEASE_MS,
  TPS_MAX_ATTEMPTS: Type.Integer({
    default: RETRY_DEFAULTS.max_attempts,
    minimum: RETRY_LIMITS.max_attempts.min,
    maximum: RETRY_LIMITS.max_attempts.max,
    description: 'number of attempts for signal types without a retry policy of their own',
  }),
  TPS_LIVENESS_FILE: Type.String({
    default: '',
    description:
      'file that the worker touches while a handler blocks it within its time-out: fresh, it stands for an answer to a liveness probe; empty touches none',
  }),
  TPS_CHAOS: Type.Union([Type.Literal('0'), Type.Literal('1')], {
    default: '0',
    description: '`1` lets any payload request faults with `chaos`, for drills',
  }),
};
/** The values of `workerVariables`. */
export type WorkerConfig = ConfigOf<typeof workerVariables>;

/** How a worker process is set up, beside its definitions. */
export interface WorkerSetup {
  signals: SignalDefinition[];
  /** By type, the dependencies that its handlers do not call at present, because they failed. The board names them. */
  failing?: () => Record<string, string[]>;
  /** Called after the last handler has ended. */
  close?: () => Promise<void>;
}
