import { type ConfigOf, outcomesVariables } from '@tps/service';

export const variables = outcomesVariables;
export type HeijunkaConfig = ConfigOf<typeof variables>;
