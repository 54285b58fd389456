import { Type } from '@sinclair/typebox';
import { outcomesVariables } from '@tps/fleet';
import { type ConfigOf, fleetVariables } from '@tps/service';

const { TPS_CB_THRESHOLD, TPS_CB_TIMEOUT } = fleetVariables;

export const variables = {
  ...outcomesVariables,
  TPS_CB_THRESHOLD,
  TPS_CB_TIMEOUT,
  TPS_CB_ERROR_PERCENT: Type.Number({
    default: 50,
    minimum: 1,
    maximum: 100,
    description:
      'opens the circuit when more than this percentage of the attempts in the last 30 s failed (at least 20 attempts, and at least `TPS_CB_THRESHOLD`, with failures of at least three signals)',
  }),
  TPS_CB_SLOW_MS: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 300_000,
    description:
      'milliseconds after which a successful attempt counts as failed in that percentage; 0 counts none',
  }),
};
export type JidokaConfig = ConfigOf<typeof variables>;
