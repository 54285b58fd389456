export {
  defineSignal,
  type HandlerContext,
  type HandlerLog,
  type SignalDefinition,
  type SignalInfo,
} from './definition';
export {
  AttemptTimeoutError,
  CapacityError,
  classify,
  DefectError,
  fingerprint,
  RejectedError,
  TransientError,
} from './failure';
export { runWorker, workerService, type WorkerSetup, workerVariables } from './worker';
export { DefinitionError } from './compile';
