import { type ConfigOf, fleetVariables, outcomesVariables } from '@tps/service';

const { TPS_CB_THRESHOLD, TPS_CB_TIMEOUT } = fleetVariables;

export const variables = { ...outcomesVariables, TPS_CB_THRESHOLD, TPS_CB_TIMEOUT };
export type JidokaConfig = ConfigOf<typeof variables>;
