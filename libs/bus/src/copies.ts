import { jetstreamManager } from '@nats-io/jetstream';
import type { Bus } from './connect';
import { assertCopies, placed, PlacementError } from './placement';

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
