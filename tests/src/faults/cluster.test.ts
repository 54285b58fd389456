import { type Bus, connectBus, managerOf } from '@tps/bus';
import { NatsCluster, waitFor } from '@tps/testkit';
import { INTACT, LONG, repeatable, report, FaultScenario, within } from './fault-scenario';

const LOAD_MS = LONG ? 60_000 : 6_000;

/** The nodes that have a stream or consumer, as the broker tells. */
interface Placement {
  leader?: string;
  replicas?: { current: boolean }[];
}

/** Does the fleet lose anything when a node of its cluster dies, with three copies of everything? */
describe('a cluster of three NATS nodes', () => {
  let cluster: NatsCluster;
  let scenario: FaultScenario;
  let bus: Bus;
  beforeAll(async () => {
    cluster = await NatsCluster.start();
    bus = await connectBus({ url: cluster.url, name: 'test' });
    const ready = async (): Promise<unknown> => (await managerOf(bus)).getAccountInfo();
    await waitFor('the cluster to have a leader', ready, { limitMs: 30_000 });
    scenario = await FaultScenario.start({ NATS_URL: cluster.url, TPS_NATS_REPLICAS: '3' });
  }, 150_000);
  afterAll(async () => {
    await scenario?.stop();
    await bus?.close();
    await cluster?.stop();
  }, 90_000);

  async function leaderOf(stream: string): Promise<string> {
    const { cluster: state, config } = await (await managerOf(bus)).streams.info(stream);
    expect(config.num_replicas).toBe(3);
    return String(state?.leader);
  }

  /** Tells whether each copy of every stream and lane is current, so that one node may be lost. */
  async function isWhole(): Promise<boolean> {
    const { streams, consumers } = await managerOf(bus);
    const all: (Placement | undefined)[] = [];
    for await (const { cluster: state, config } of streams.list()) {
      all.push(state);
      for await (const lane of consumers.list(config.name)) all.push(lane.cluster);
    }
    return all.every((state) => state?.leader && (state.replicas ?? []).every(({ current }) => current));
  }

  test.each(['kanban', 'outcomes'] as const)(
    'the node that leads %s is killed under load',
    async (which) => {
      let recoveryMs = 0;
      await waitFor('the cluster to be whole', isWhole, { limitMs: 90_000, everyMs: 250 });
      const leader = await leaderOf(bus.names.streams[which]);
      const result = await scenario.try({
        label: `cluster-${which}`,
        forMs: LOAD_MS,
        fault: async (recovered) => {
          await cluster.node(leader).kill();
          recoveryMs = await recovered(within(60_000));
        },
      });
      await cluster.node(leader).restart();
      report(`cluster, leader of ${which}`, result, recoveryMs);
      expect(result).toMatchObject(INTACT);
      expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
      expect(recoveryMs).toBeLessThan(within(15_000));
    },
    LOAD_MS + 300_000,
  );
});
