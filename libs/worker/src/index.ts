export {
  DefinitionError,
  defineSignal,
  type HandlerContext,
  type PullOptions,
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
export { runWorker, workerService } from './run-worker';
export { type WorkerSetup, workerVariables } from './worker-setup';
