import { Type } from '@sinclair/typebox';
import { type ConfigOf, outcomesVariables } from '@tps/service';

export const variables = {
  ...outcomesVariables,
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
export type JidokaConfig = ConfigOf<typeof variables>;
