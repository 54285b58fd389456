import { type ConfigOf, outcomesVariables } from '@tps/service';

export const kaizenVariables = outcomesVariables;
export type KaizenConfig = ConfigOf<typeof kaizenVariables>;
