export { FleetView, type FleetViewOptions, SILENT_MS, type StationPresence } from './fleet-view';
export { LineView, type LineViewOptions } from './line-view';
export {
  type LoggedOutcome,
  OutcomesLog,
  type OutcomesLogDeps,
  type OutcomesLogOptions,
  outcomesVariables,
} from './outcomes-log';
export { RollingWindow, type RollingWindowOptions, type WindowEntry } from './rolling-window';
export { type Place, Snapshots } from './snapshots';
export { TwoGenerationMap } from './two-generation-map';
export { TypesView, type TypesViewOptions } from './types-view';
