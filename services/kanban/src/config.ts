import { backupVariables } from '@tps/backup';
import { type ConfigOf, fleetVariables, outcomesVariables } from '@tps/service';

const { TPS_KANBAN_BUFFER } = fleetVariables;

export const variables = { ...outcomesVariables, ...backupVariables, TPS_KANBAN_BUFFER };
export type KanbanConfig = ConfigOf<typeof variables>;
