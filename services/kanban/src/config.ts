import { backupVariables } from '@tps/backup';
import { outcomesVariables } from '@tps/fleet';
import { type ConfigOf, fleetVariables } from '@tps/service';

const { TPS_KANBAN_BUFFER, TPS_LEASE_MS } = fleetVariables;

export const variables = { ...outcomesVariables, ...backupVariables, TPS_KANBAN_BUFFER, TPS_LEASE_MS };
export type KanbanConfig = ConfigOf<typeof variables>;
