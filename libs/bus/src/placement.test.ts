import { JetStreamApiError } from '@nats-io/jetstream';
import { NatsCluster, NatsServer, waitFor } from '@tps/testkit';
import { openBucket } from './bucket';
import { type Bus, connectBus } from './connect';
import { placed, PlacementError } from './placement';
import { ensureStream } from './streams';

test('three copies on a single server are refused at once', async () => {
  const nats = await NatsServer.start();
  const bus = await connectBus({ url: nats.url, name: 'test' });
  try {
    const refused = { name: 'PlacementError', replicas: 3, single: true };
    await expect(openBucket(bus, 'three', 3)).rejects.toMatchObject(refused);
    await expect(ensureStream(bus, 'andon', { replicas: 3 })).rejects.toMatchObject(refused);
    await ensureStream(bus, 'andon', { replicas: 1 });
    await expect(ensureStream(bus, 'andon', { replicas: 3 })).rejects.toMatchObject(refused);
  } finally {
    await bus.close();
    await nats.stop();
  }
});

test('five copies on three servers are refused by a process that has run for long', async () => {
  const cluster = await NatsCluster.start();
  const bus = await connectBus({ url: cluster.url, name: 'test' });
  try {
    // A cluster that has just started does not answer before it has a leader.
    const refusal = await waitFor(
      'the refusal',
      () =>
        openBucket({ nc: bus.nc, openedMs: 0 } as Bus, 'five', 5).then(
          () => undefined,
          (error: unknown) => (error instanceof PlacementError ? error : undefined),
        ),
      { limitMs: 40_000 },
    );
    expect(refusal).toMatchObject({ replicas: 5, single: false });
  } finally {
    await bus.close();
    await cluster.stop();
  }
}, 60_000);

test('a starting process waits for the servers that are still starting', async () => {
  const waits: number[] = [];
  const bus = {
    openedMs: Date.now(),
    sleepUntilReconnect: async (ms: number) => void waits.push(ms),
  } as unknown as Bus;
  const tooFew = { code: 400, err_code: 10005, description: 'no suitable peers for placement' };
  const create = async (): Promise<string> => {
    if (waits.length < 5) throw new JetStreamApiError(tooFew);
    return 'made';
  };
  expect(await placed(bus, 3, create)).toBe('made');
  expect(waits.every((ms, n) => ms <= Math.min(250 * 2 ** n, 2_000))).toBe(true);
});
