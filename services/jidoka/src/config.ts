import { Type } from '@sinclair/typebox';
import { type ConfigOf, fleetVariables, outcomesVariables } from '@tps/service';

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
      'failed attempts in percent of those of 30 s above which the circuit opens; fewer than 20, or than `TPS_CB_THRESHOLD`, open nothing',
  }),
  TPS_CB_SLOW_MS: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 300_000,
    description: 'attempts that take longer count as failed in that share, in milliseconds; 0: none does',
  }),
};
export type JidokaConfig = ConfigOf<typeof variables>;
