import { NatsCluster, NatsServer, waitFor } from '@tps/testkit';
import { openObjectStore, restoreMissing } from './bucket';
import { type Bus, connectBus, type CopiesChange } from './connect';
import { raiseCopies } from './copies';
import { openView } from './kv';
import { PlacementError } from './placement';
import { ensureLanes, ensureStream, managerOf } from './streams';

const changes: CopiesChange[] = [];
const connect = (url: string): Promise<Bus> =>
  connectBus({ url, name: 'test', onCopies: (change) => changes.push(change) });
afterEach(() => changes.splice(0));

describe('TPS_NATS_REPLICAS that changes on a cluster of three nodes', () => {
  let cluster: NatsCluster;
  let bus: Bus;
  beforeAll(async () => {
    cluster = await NatsCluster.start();
    bus = await connect(cluster.url);
    const ready = async (): Promise<unknown> => (await managerOf(bus)).getAccountInfo();
    await waitFor('the cluster to have a leader', ready, { limitMs: 30_000 });
  }, 60_000);
  afterAll(async () => {
    await bus?.close();
    await cluster?.stop();
  }, 30_000);

  /** What the owners of a stream, a bucket and an object store do when they start. */
  async function start(replicas: number): Promise<void> {
    await ensureStream(bus, 'kanban', { replicas });
    await openView(bus, 'cards', { replicas, onError: () => undefined, restore: restoreMissing });
    await openObjectStore(bus, bus.names.stores.kaizen, { replicas, timeout: 5_000 });
    await raiseCopies(bus, `OBJ_${bus.names.stores.kaizen}`, replicas);
  }
  async function copies(): Promise<number[]> {
    const { streams } = await managerOf(bus);
    const found: number[] = [];
    for await (const { config } of streams.list()) found.push(config.num_replicas);
    return found;
  }

  test('raised: streams with their lanes, buckets and object stores get the copies, and keep what they hold', async () => {
    await start(1);
    await ensureLanes(bus, 'demo');
    await bus.publisher.publish(bus.names.subjects.work('demo', 3, 'kept'), '{}');
    expect([await copies(), changes]).toEqual([[1, 1, 1], []]);
    await start(3);
    // While the streams elect their leaders, the list may be empty.
    await waitFor('three copies', async () => (await copies()).join() === '3,3,3', { limitMs: 30_000 });
    const names = ['KANBAN', 'KV_tps_cards', 'OBJ_tps_kaizen'];
    expect(changes).toEqual(names.map((stream) => ({ stream, from: 1, to: 3 })));
    const { streams, consumers } = await managerOf(bus);
    await waitFor(
      'the copies to be current',
      async () => {
        const lane = await consumers.info('KANBAN', 'demo_3');
        const all = [...(await streams.info('KANBAN')).cluster!.replicas!, ...lane.cluster!.replicas!];
        return all.length === 4 && all.every(({ current }) => current);
      },
      { limitMs: 30_000 },
    );
    expect((await consumers.info('KANBAN', 'demo_3')).num_pending).toBe(1);
    changes.splice(0);
    await start(3);
    expect(changes).toEqual([]);
  }, 60_000);

  test('lowered: every stream keeps its copies, and one line each says so', async () => {
    await start(1);
    expect(await copies()).toEqual([3, 3, 3]);
    expect(changes.map(({ from, to }) => [from, to])).toEqual([1, 2, 3].map(() => [3, 1]));
  }, 30_000);

  test('beyond the servers: refused with one error, and nothing changes', async () => {
    const late = { ...bus, nc: bus.nc, names: bus.names, openedMs: 0 } as Bus;
    await expect(raiseCopies(late, 'KANBAN', 5)).rejects.toThrow(PlacementError);
    expect([await copies(), changes]).toEqual([[3, 3, 3], []]);
  }, 30_000);
});

test('a refused right is reported, and the start goes on', async () => {
  const nats = await NatsServer.start();
  const bus = await connect(nats.url);
  try {
    await raiseCopies(bus, 'missing', 1);
    expect(changes).toMatchObject([{ stream: 'missing', from: 1, to: 1, error: expect.any(Error) as Error }]);
  } finally {
    await bus.close();
    await nats.stop();
  }
});
