import { jetstreamManager } from '@nats-io/jetstream';
import type { Bus } from './connect';
import { assertCopies, placed, PlacementError } from './placement';

/** A stream that has other copies than `TPS_NATS_REPLICAS` asks for, and what came of it. */
export interface CopiesChange {
  stream: string;
  from: number;
  /** Below `from`: the stream keeps its copies, because fewer would put data at risk that a person meant to be safe. */
  to: number;
  /** Why the copies could not be raised, for example a missing right. */
  error?: unknown;
}

/**
 * Raises the copies of a stream, bucket or object store that was created with fewer. Only its owner calls it. A start
 * does not fail for a refusal, because the stream works with the copies that it has.
 *
 * @throws PlacementError if NATS has too few servers
 */
export async function raiseCopies(bus: Bus, stream: string, to: number): Promise<void> {
  let from = to;
  try {
    await placed(bus, to, async () => {
      const { streams } = await jetstreamManager(bus.nc, { checkAPI: false });
      const { config, cluster } = await streams.info(stream);
      from = config.num_replicas;
      assertCopies(from, to, cluster);
      if (from < to) await streams.update(stream, { num_replicas: to });
    });
    if (from !== to) bus.copies({ stream, from, to });
  } catch (error) {
    if (error instanceof PlacementError) throw error;
    bus.copies({ stream, from, to, error });
  }
}
