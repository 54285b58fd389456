export type { BusAccess } from './access';
export { Batcher, type BatcherOptions } from './batcher';
export { type Bus, BusClosedError, type BusOptions, connectBus, UnansweredError } from './connect';
export { type DeliveryInfo, parseDelivery } from './delivery';
export { Follower, type FollowOptions, type LogMessage } from './follower';
export { encodeHeaders, headerValues } from './headers';
export { KvContentionError, KvView, type KvValue, openBucket } from './kv';
export { type PubAck, Publisher, PublishError } from './publisher';
export {
  createStream,
  ensureLanes,
  ensureStream,
  isApiError,
  LEASE_MS,
  managerOf,
  messageAt,
  type StreamName,
  type StreamSettings,
} from './streams';
