export type { BusAccess } from './access';
export { isApiError } from './api-error';
export { ask, askBoard } from './ask';
export { Batcher } from './batcher';
export {
  isConflict,
  type KvOptions,
  openBucket,
  openObjectStore,
  type Restore,
  restoreMissing,
} from './bucket';
export { type Bus, connectBus, type CopiesChange, NoReplyError } from './connect';
export { raiseCopies } from './copies';
export { type DeliveryInfo, parseDelivery } from './delivery';
export type { LogMessage, LogStart } from './follow-options';
export { Follower } from './follower';
export { encodeHeaders, headerValues } from './headers';
export { type KvView, openView } from './kv';
export { PlacementError } from './placement';
export { type LogFacts, LogLife } from './log-life';
export { PublishError } from './publisher';
export { isConsumerGone, type PullRequest, pullRequest } from './pull-request';
export { latestAttempt, lookUpAll, RecordsClient, RecordsUnavailableError } from './records-client';
export { pauseMs, retry } from './retry';
export {
  createStream,
  deleteLanes,
  ensureLanes,
  ensureStream,
  isMissingStream,
  managerOf,
  messageAt,
} from './streams';
