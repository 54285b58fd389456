export type { BusAccess } from './access';
export { isApiError } from './api-error';
export { ask, askBoard, type AskOptions } from './ask';
export { Batcher, type BatcherOptions } from './batcher';
export {
  KvContentionError,
  type KvOptions,
  KvUnsettledError,
  type KvValue,
  openBucket,
  type Restore,
  restoreMissing,
} from './bucket';
export { type Bus, BusClosedError, type BusOptions, connectBus, NoReplyError } from './connect';
export { type DeliveryInfo, parseDelivery } from './delivery';
export type { FollowOptions, LogMessage, LogStart } from './follow-options';
export { Follower } from './follower';
export { encodeHeaders, headerValues } from './headers';
export { type KvView, openView } from './kv';
export { PlacementError } from './placement';
export { type LogFacts, LogLife } from './log-life';
export { StateLosses } from './losses';
export { type PubAck, Publisher, PublishError } from './publisher';
export { isConsumerGone, type PullRequest, pullRequest } from './pull-request';
export { latestAttempt, lookUpAll, RecordsClient, RecordsUnavailableError } from './records-client';
export { type Backoff, pauseMs, retry, type RetryOptions } from './retry';
export {
  createStream,
  deleteLanes,
  ensureLanes,
  ensureStream,
  isMissingStream,
  LEASE_MS,
  managerOf,
  messageAt,
  type StreamName,
  type StreamSettings,
} from './streams';
