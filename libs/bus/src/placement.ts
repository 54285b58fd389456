import { isApiError } from './api-error';
import type { Bus } from './connect';

/** A process that starts waits so long for a cluster whose nodes come up one after the other. */
export const PLACEMENT_LIMIT_MS = 45_000;
const FIRST_WAIT_MS = 250;
const WAIT_CAP_MS = 2_000;

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
 * Creates a stream or bucket. While this process starts, waits for a cluster that has no leader yet, or fewer nodes than
 * copies; a single server never becomes a cluster.
 *
 * @param copies of the stream, if it is to be made
 * @throws PlacementError when NATS has too few servers
 */
export async function placed<T>(bus: Bus, copies: number, create: () => Promise<T>): Promise<T> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, WAIT_CAP_MS)) {
    try {
      return await create();
    } catch (error) {
      if (isApiError(error, NOT_CLUSTERED)) throw new PlacementError(copies, true, error);
      const tooFew = isApiError(error, NO_SUITABLE_PEERS);
      const passing = copies > 1 && (tooFew || isWithoutLeader(error));
      if (!passing || Date.now() - bus.openedMs > PLACEMENT_LIMIT_MS) {
        throw tooFew ? new PlacementError(copies, false, error) : error;
      }
      await bus.sleepUntilReconnect(waitMs * (0.5 + Math.random() / 2));
    }
  }
}

/**
 * Checks a stream that was made with fewer copies. In a cluster it keeps them; a single server cannot have more, and says
 * so again.
 * @throws PlacementError
 */
export function assertCopies(found: number, copies: number, cluster?: { name?: string }): void {
  if (found < copies && !cluster?.name) throw new PlacementError(copies, true, undefined);
}

/** A cluster without a leader answers nothing, or that JetStream is not available. */
function isWithoutLeader(error: unknown): boolean {
  if (isApiError(error, TEMPORARILY_UNAVAILABLE)) return true;
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'JetStreamNotEnabled');
}
