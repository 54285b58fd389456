import { isApiError } from './api-error';
import type { Bus } from './connect';
import { retry } from './retry';

/** How long a starting process waits for a cluster whose nodes come up one after the other. */
const PLACEMENT_LIMIT_MS = 45_000;
const BACKOFF = { firstMs: 250, capMs: 2_000 };

const NOT_CLUSTERED = 10074;
const NO_SUITABLE_PEERS = 10005;
const TEMPORARILY_UNAVAILABLE = 10008;

/** NATS cannot keep as many copies of a stream as asked for. */
export class PlacementError extends Error {
  override readonly name = 'PlacementError';
  constructor(
    readonly replicas: number,
    /** A single server, which keeps one copy; otherwise a cluster with too few nodes. */
    readonly single: boolean,
    cause: unknown,
  ) {
    super(`NATS has too few servers for ${replicas} copies`, { cause });
  }
}

/**
 * Creates a stream or bucket. While this process starts, it waits for a cluster that has no leader yet, or fewer nodes
 * than copies. It does not wait for a single server, which never becomes a cluster.
 *
 * @param copies copies of the stream, if this call creates it
 * @throws PlacementError if NATS has too few servers
 */
export async function placed<T>(bus: Bus, copies: number, create: () => Promise<T>): Promise<T> {
  const isStarting = (): boolean => Date.now() - bus.openedMs <= PLACEMENT_LIMIT_MS;
  const isPassing = (error: unknown): boolean =>
    isApiError(error, NO_SUITABLE_PEERS) || isWithoutLeader(error);
  try {
    return await retry(create, {
      backoff: BACKOFF,
      retryIf: (error) => copies > 1 && isPassing(error) && isStarting(),
      pause: (ms) => bus.sleepUntilReconnect(ms),
    });
  } catch (error) {
    if (isApiError(error, NOT_CLUSTERED)) throw new PlacementError(copies, true, error);
    throw isApiError(error, NO_SUITABLE_PEERS) ? new PlacementError(copies, false, error) : error;
  }
}

/**
 * Checks a stream that was created with fewer copies. In a cluster its owner raises them. A single server cannot have more.
 *
 * @throws PlacementError
 */
export function assertCopies(found: number, copies: number, cluster?: { name?: string }): void {
  if (found < copies && !cluster?.name) throw new PlacementError(copies, true, undefined);
}

/** Whether the cluster has no leader: it then does not answer, or answers that JetStream is not available. */
function isWithoutLeader(error: unknown): boolean {
  if (isApiError(error, TEMPORARILY_UNAVAILABLE)) return true;
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'JetStreamNotEnabled');
}
