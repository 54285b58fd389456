import { NatsCluster, NatsServer, waitFor } from '@tps/testkit';
import { openBucket } from './bucket';
import { type Bus, connectBus } from './connect';
import { PlacementError } from './placement';
import { ensureStream, managerOf } from './streams';

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

describe('a cluster that lacks a node', () => {
  let cluster: NatsCluster;
  let bus: Bus;
  beforeAll(async () => {
    cluster = await NatsCluster.start();
    bus = await connectBus({ url: cluster.url, name: 'test' });
    const ready = async (): Promise<unknown> => (await managerOf(bus)).getAccountInfo();
    await waitFor('the cluster to have a leader', ready, { limitMs: 30_000 });
  }, 60_000);
  afterAll(async () => {
    await bus?.close();
    await cluster?.stop();
  });

  test('is waited for while the process starts', async () => {
    const late = cluster.nodes[2]!;
    await late.kill();
    let refusals = 0;
    const opening = openBucket(
      { ...patient(bus), sleepUntilReconnect: (ms) => ((refusals += 1), bus.sleepUntilReconnect(ms)) },
      'late',
      3,
    );
    await waitFor('a refusal', () => refusals > 0, { limitMs: 30_000 });
    await late.restart();
    expect(await (await opening).status()).toMatchObject({ replicas: 3 });
  }, 60_000);

  test('is an error for a process that runs for long, and for more copies than it has nodes', async () => {
    const opened = (): Promise<unknown> => openBucket({ ...patient(bus), openedMs: 0 }, 'five', 5);
    // A node that has just come back may leave the cluster without a leader for a moment, which is another error.
    const refusal = await waitFor(
      'the refusal',
      () => opened().catch((error: unknown) => (error instanceof PlacementError ? error : undefined)),
      { limitMs: 40_000 },
    );
    expect(refusal).toMatchObject({ replicas: 5, single: false });
  }, 60_000);
});

/** What `openBucket` reads of a bus, as properties of its own. */
function patient({ nc, openedMs }: Bus): Bus {
  return { nc, openedMs } as Bus;
}
