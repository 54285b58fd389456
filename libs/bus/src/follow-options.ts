import { AckPolicy, type ConsumerConfig, DeliverPolicy } from '@nats-io/jetstream';
import { type Msg, nanos } from '@nats-io/transport-node';

/** One stored message as a projection sees it. Its time is the stream's, so that replicas agree. */
export interface LogMessage {
  seq: number;
  timeMs: number;
  subject: string;
  msg: Msg;
}

/** The stream as a follower finds it when it makes a consumer. */
export interface LogStart {
  /** When the broker created the stream: tells it from another one of the same name. */
  created: string;
  lastSeq: number;
  /** This is another log than the one followed so far: everything derived from that one must start anew. */
  replaced: boolean;
}

export interface FollowOptions {
  stream: string;
  /** Called for every message, in order, once. Must not throw: a projection skips what it cannot read, and says so. */
  onMessage: (message: LogMessage) => void;
  onError: (error: unknown) => void;
  /** Called after each pull. Nothing more is read until it resolves, so a slow projection holds the reading back. */
  onRead?: () => Promise<void>;
  /** Called before the first message of each consumer. A log that was replaced is read from its beginning. */
  onStart?: (start: LogStart) => void;
  /** Called once after each `onStart`, when everything that was stored by then is handled. */
  onCaughtUp?: () => void;
  /** Creates the stream when the broker has lost it. Without it the follower waits until somebody else does. */
  ensure?: () => Promise<unknown>;
  /** How many entries the stream held, as far as the reader knows: for the report of its loss. */
  entries?: () => number;
  /** Read only the last message of each of these subjects, with each consumer again: a bucket. */
  latestOf?: string;
  /** Read only what was stored from this sequence on. Default: everything the stream has. */
  fromSeq?: number;
  /** Read only what was stored in the last so many milliseconds. */
  sinceMs?: number;
  /** How long to let messages gather before they are taken together. Default 50. */
  gatherMs?: number;
}

export interface FollowStart {
  /** The last sequence that was read of this log; 0 for none. */
  position: number;
  /** No other log was followed before. */
  isFirst: boolean;
  /** The broker keeps the consumer for so long without a pull. */
  idleMs: number;
}

/** The consumer of a follower: ephemeral, and beginning where the follower goes on. */
export function consumerFor(
  { latestOf, fromSeq, sinceMs }: FollowOptions,
  { position, isFirst, idleMs }: FollowStart,
): Partial<ConsumerConfig> {
  const ephemeral = {
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(idleMs),
    mem_storage: true,
    num_replicas: 1,
  };
  if (latestOf !== undefined) {
    return { ...ephemeral, deliver_policy: DeliverPolicy.LastPerSubject, filter_subject: latestOf };
  }
  // A place in an earlier log says nothing about the one that replaced it.
  const seq = position > 0 ? position + 1 : isFirst ? fromSeq : undefined;
  if (seq !== undefined) {
    const opt_start_seq = Math.max(1, seq);
    return { ...ephemeral, deliver_policy: DeliverPolicy.StartSequence, opt_start_seq };
  }
  if (sinceMs === undefined) return { ...ephemeral, deliver_policy: DeliverPolicy.All };
  const opt_start_time = new Date(Date.now() - sinceMs).toISOString();
  return { ...ephemeral, deliver_policy: DeliverPolicy.StartTime, opt_start_time };
}
