import { type ConfigOf, outcomesVariables } from '@tps/service';

export const andonVariables = outcomesVariables;
export type AndonConfig = ConfigOf<typeof andonVariables>;
