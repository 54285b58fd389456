import { NatsCluster, waitFor } from '@tps/testkit';
import { type Bus, connectBus } from './connect';
import type { LogMessage } from './follow-options';
import { Follower } from './follower';
import { ensureStream, managerOf } from './streams';

const ELECTION_MS = 30_000;
/** The limit of silence plus the time for a new consumer. An open poll lasts much longer. */
const NOTICED_MS = 12_000;

/** With one broker: broker.test.ts. */
describe('a follower in a cluster', () => {
  let cluster: NatsCluster;
  let bus: Bus;
  beforeAll(async () => {
    cluster = await NatsCluster.start();
    bus = await connectBus({ url: cluster.url, name: 'test' });
    const stream = async (): Promise<boolean> => {
      await ensureStream(bus, 'outcomes', { replicas: 3 });
      return true;
    };
    await waitFor('the stream', stream, { limitMs: ELECTION_MS });
  }, 60_000);
  afterAll(async () => {
    await bus?.close();
    await cluster?.stop();
  }, 60_000);

  test('continues within seconds when the node of its consumer dies and the connection to another node lives', async () => {
    const stream = bus.names.streams.outcomes;
    const { consumers } = await managerOf(bus);
    const seen: number[] = [];
    const onMessage = ({ msg }: LogMessage): void => void seen.push(msg.json<number>());
    let follower: Follower | undefined;
    // The broker chooses the node. On the node of the connection, the reconnect would reveal the loss.
    const elsewhere = async (): Promise<string | null> => {
      await follower?.stop();
      for await (const { name } of consumers.list(stream)) await consumers.delete(stream, name);
      follower = new Follower(bus, { stream, onMessage, onError: () => undefined });
      const own = await waitFor('its consumer', async () => (await consumers.list(stream).next())[0]);
      const node = own.cluster?.leader;
      return node && node !== bus.nc.info?.server_name ? node : null;
    };
    const node = await waitFor('a consumer on another node', elsewhere, { limitMs: 60_000 });
    await cluster.node(node).kill();
    const append = async (): Promise<unknown> => bus.publisher.publish(bus.names.subjects.outcomeBatch, '1');
    await waitFor('an append', append, { limitMs: ELECTION_MS });
    await waitFor('it to be followed', () => seen.length > 0, { limitMs: NOTICED_MS });
    await follower?.stop();
  }, 120_000);
});
