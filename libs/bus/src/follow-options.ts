import { AckPolicy, type ConsumerConfig, DeliverPolicy } from '@nats-io/jetstream';
import { type Msg, nanos } from '@nats-io/transport-node';

/** One stored message. `timeMs` is the time at which the stream stored it, so that replicas agree on it. */
export interface LogMessage {
  seq: number;
  timeMs: number;
  subject: string;
  msg: Msg;
}

/** The state of the stream when a follower creates a consumer. */
export interface LogStart {
  /** When the broker created the stream, which distinguishes it from another stream of the same name. */
  created: string;
  lastSeq: number;
  /** This is not the log that was followed so far, so everything derived from that log must start anew. */
  replaced: boolean;
}

/** Which part of a stream to follow, and whom to call. */
export interface FollowOptions {
  stream: string;
  /** Called once for every message, in order. It must not throw: a projection reports and skips unreadable messages. */
  onMessage: (message: LogMessage) => void;
  onError: (error: unknown) => void;
  /** Called after each pull. The follower reads on when it resolves, so a slow projection slows the reading down. */
  onRead?: () => Promise<void>;
  /** Called before the first message of each consumer. A replaced log is read from its beginning. */
  onStart?: (start: LogStart) => void;
  /** Called once after each `onStart`, when all messages that were stored by then are handled. */
  onCaughtUp?: () => void;
  /** Creates the stream if the broker has lost it. Default: the follower waits until somebody else creates it. */
  ensure?: () => Promise<unknown>;
  /** Counts the entries that the reader knows of, for the report of a loss. */
  entries?: () => number;
  /** Reads only the last message of each of these subjects, again with every consumer, as a bucket needs. */
  latestOf?: string;
  /** Reads only messages from this sequence on. Default: everything in the stream. */
  fromSeq?: number;
  /** Reads only messages of the last `sinceMs` milliseconds. Default: everything in the stream. */
  sinceMs?: number;
  /** How long messages gather before they are read together, in milliseconds. Default: 50. */
  gatherMs?: number;
}

/** Where a new consumer of a follower begins. */
export interface FollowStart {
  /** The last sequence that was read; 0 for none. */
  position: number;
  /** No log was followed before. */
  isFirst: boolean;
  /** The broker deletes the consumer after this time without a pull. */
  idleMs: number;
}

/** The configuration of a follower's consumer: ephemeral, beginning where the follower continues. */
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
  // A position in an earlier log means nothing in the log that replaced it.
  const seq = position > 0 ? position + 1 : isFirst ? fromSeq : undefined;
  if (seq !== undefined) {
    const opt_start_seq = Math.max(1, seq);
    return { ...ephemeral, deliver_policy: DeliverPolicy.StartSequence, opt_start_seq };
  }
  if (sinceMs === undefined) return { ...ephemeral, deliver_policy: DeliverPolicy.All };
  const opt_start_time = new Date(Date.now() - sinceMs).toISOString();
  return { ...ephemeral, deliver_policy: DeliverPolicy.StartTime, opt_start_time };
}
