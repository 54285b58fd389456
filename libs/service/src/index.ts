export {
  allowedValues,
  type CommonConfig,
  commonVariables,
  ConfigError,
  type ConfigOf,
  loadConfig,
  readConfigFile,
} from './config';
export type { Closeable, RunningService, ServiceContext, ServiceDefinition } from './definition';
export { fleetVariables } from './fleet-variables';
export { listen } from './listen';
export { natsAccess } from './nats-access';
export { readinessAnswer } from './probes';
export { runService } from './process';
export { type ServiceHandle, startService } from './run';
