export {
  allowed,
  type CommonConfig,
  commonVariables,
  ConfigError,
  type ConfigOf,
  loadConfig,
  readConfigFile,
} from './config';
export type {
  EndpointOptions,
  FrontDoor,
  RunningService,
  ServiceContext,
  ServiceDefinition,
} from './definition';
export { fleetVariables } from './fleet-variables';
export { BEAT_MS, FleetView, SILENT_MS, type Station } from './fleet-view';
export { Generations } from './generations';
export { LineView, type LineViewOptions } from './line-view';
export type { Logger } from './logger';
export { type LoggedOutcome, OutcomesLog, type OutcomesLogOptions, outcomesVariables } from './outcomes-log';
export { readinessAnswer } from './probes';
export { EXIT_CONFIG, runService } from './process';
export { RollingWindow, type RollingWindowOptions } from './rolling-window';
export { type ServiceHandle, startService } from './run';
export { SignalSpan, type SignalSpanOptions, SignalTracer, type TraceHeaders } from './signal-spans';
export { describeThrown, isError, lineage, readSafely, type Thrown } from './thrown';
export { callersTrace, collectorUrl, headersOf, linksTo, traceIdIn } from './tracing';
export { TypesView, type TypesViewOptions } from './types-view';
