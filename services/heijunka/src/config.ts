import { type ConfigOf, outcomesVariables } from '@tps/service';

export const heijunkaVariables = outcomesVariables;
export type HeijunkaConfig = ConfigOf<typeof heijunkaVariables>;
