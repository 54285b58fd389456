import type { Msg } from '@nats-io/transport-node';
import type { Bus } from './connect';

/** A pull request as JetStream defines it. Durations are in nanoseconds; without `no_wait` the request is open for `expires`. */
export interface PullRequest {
  batch: number;
  no_wait?: true;
  expires?: number;
  idle_heartbeat?: number;
}

const CONSUMER_GONE = 409;
const NO_RESPONDERS = 503;

/**
 * Asks a consumer for messages, which arrive at `reply`. If the request ends before all have come, a status message
 * arrives there, too.
 */
export function pullRequest(
  bus: Bus,
  { stream, consumer, reply }: { stream: string; consumer: string; reply: string },
  request: PullRequest,
): void {
  bus.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), { reply });
}

/** Whether a status message says that the consumer is gone. */
export function isConsumerGone({ headers }: Msg): boolean {
  return headers?.code === CONSUMER_GONE || headers?.code === NO_RESPONDERS;
}
