import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { freePort, waitFor } from '@tps/testkit';
import { INTACT, repeatable, report, FaultScenario } from './fault-scenario';

const MAIN = resolve(__dirname, '../../../services/worker/dist/main.js');
const NAME = 'zombie-1';
const WORK_MS = 1_000;
/** With so many in a second most slots of both workers are busy, and none waits for long. */
const PER_SECOND = 10;

interface Running {
  signal_id: string;
  worker_id?: string;
}

/** A worker that stands still for longer than its leases, and comes back when its work was done by others. */
describe('a worker that comes back from the dead', () => {
  let scenario: FaultScenario;
  let zombie: ChildProcess;
  beforeAll(async () => {
    scenario = await FaultScenario.start();
    // Not one of the fleet's own: the local runtime ends what hangs.
    const env = {
      ...scenario.fleet.environment,
      METRICS_PORT: String(await freePort()),
      INSTANCE_ID: NAME,
    };
    zombie = spawn(process.execPath, [MAIN], { env, stdio: 'ignore' });
    await waitFor(
      'the other worker',
      async () => {
        const { body } = await scenario.fleet.get<{ distribution: object }>('/heijunka');
        return NAME in body.distribution;
      },
      { limitMs: 20_000 },
    );
  }, 120_000);
  afterAll(async () => {
    zombie?.kill('SIGKILL');
    await scenario?.stop();
  }, 90_000);

  async function held(): Promise<string[]> {
    const { body } = await scenario.fleet.get<{ items: Running[] }>('/signals?status=running&limit=100');
    return body.items.flatMap(({ signal_id, worker_id }) => (worker_id === NAME ? signal_id : []));
  }
  /** The signals among these that have not succeeded. */
  async function unfinished(ids: readonly string[]): Promise<string[]> {
    const views = await Promise.all(ids.map((id) => scenario.fleet.get(`/signal/${id}`)));
    return ids.filter((_, n) => views[n]?.body.status !== 'succeeded');
  }

  test('its late outcomes do not count, and no effect is had more often than its leases cost', async () => {
    scenario.sink.delayMs = WORK_MS;
    const result = await scenario.try({
      label: 'zombie',
      forMs: 0,
      perSecond: PER_SECOND,
      fault: async () => {
        const left = await waitFor('it to stand still with signals in flight', async () => {
          const ids = await held();
          zombie.kill('SIGSTOP');
          const still = await unfinished(ids);
          if (still.length === 0) zombie.kill('SIGCONT');
          return still.length > 0 ? still : null;
        });
        const taken = async (): Promise<boolean> => (await unfinished(left)).length === 0;
        await waitFor('others to have done it', taken, { limitMs: 60_000, everyMs: 200 });
        zombie.kill('SIGCONT');
        await waitFor('it to work again', async () => (await held()).length > 0);
      },
    });
    report('zombie', result);
    expect(result).toMatchObject(INTACT);
    expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
    // It had done what it held, and said so when it came back; others had done it meanwhile.
    expect(result.superseded).toBeGreaterThan(0);
    expect(result.superseded).toBeLessThanOrEqual(result.repeated);
  }, 150_000);
});
