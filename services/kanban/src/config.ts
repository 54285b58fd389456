import { backupVariables } from '@tps/backup';
import { outcomesVariables } from '@tps/fleet';
import { type ConfigOf, fleetVariables } from '@tps/service';

const { TPS_KANBAN_BUFFER } = fleetVariables;

export const variables = { ...outcomesVariables, ...backupVariables, TPS_KANBAN_BUFFER };
export type KanbanConfig = ConfigOf<typeof variables>;
