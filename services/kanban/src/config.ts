import { Type } from '@sinclair/typebox';
import { type ConfigOf, outcomesVariables } from '@tps/service';

export const variables = {
  ...outcomesVariables,
  TPS_KANBAN_BUFFER: Type.Integer({
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    description: 'signals that may be accepted and unfinished',
  }),
};
export type KanbanConfig = ConfigOf<typeof variables>;
