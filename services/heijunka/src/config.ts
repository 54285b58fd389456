import { outcomesVariables } from '@tps/fleet';
import type { ConfigOf } from '@tps/service';

export const variables = outcomesVariables;
export type HeijunkaConfig = ConfigOf<typeof variables>;
