import { freePort, RabbitServer, waitFor } from '@tps/testkit';
import { INTACT, LONG, long, repeatable, report, FaultScenario, within } from './fault-scenario';

/** Services and brokers, as `make up` runs them. Each is killed and must come back by itself. */
const VICTIMS: [name: string, recoveryMs: number][] = [
  ['jidoka-1', 10_000],
  ['kanban-1', 10_000],
  ['andon-1', 10_000],
  ['kaizen-1', 10_000],
  ['heijunka-1', 10_000],
  ['worker-1', 10_000],
  ['gateway-1', 10_000],
  ['nats-1', 15_000],
];
interface Facts {
  figures: Record<string, unknown>;
  history: { id: string }[];
  records: Record<string, unknown>[];
}
const LOAD_MS = LONG ? 60_000 : 3_000;
const installed = RabbitServer.isInstalled;

describe('SIGKILL of each process in turn, under load', () => {
  let scenario: FaultScenario;
  beforeAll(async () => {
    const rabbit = installed
      ? { TPS_RABBITMQ: 'auto', RABBITMQ_URL: `amqp://guest:guest@127.0.0.1:${await freePort()}` }
      : {};
    scenario = await FaultScenario.start(rabbit);
  }, 120_000);
  afterAll(() => scenario?.stop(), 90_000);

  test.each(VICTIMS)(
    '%s',
    async (victim, limitMs) => {
      let recoveryMs = 0;
      const result = await scenario.try({
        label: victim,
        forMs: LOAD_MS,
        fault: async (recovered) => {
          await scenario.fleet.kill(victim);
          recoveryMs = await recovered(within(limitMs));
        },
      });
      report(victim, result, recoveryMs);
      expect(result).toMatchObject(INTACT);
      expect(recoveryMs).toBeLessThan(within(limitMs));
      expect(result.accepted).toBeGreaterThan(100);
      expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
    },
    LOAD_MS + 150_000,
  );

  // The local runtime notices a process that hangs, ends it and starts another.
  long.each(['worker-1', 'kanban-1', 'gateway-1'])(
    '%s hangs',
    async (victim) => {
      let recoveryMs = 0;
      const result = await scenario.try({
        label: `hang-${victim}`,
        forMs: 0,
        fault: async (recovered) => {
          const pid = await scenario.fleet.pid(victim);
          process.kill(pid, 'SIGSTOP');
          const replaced = async (): Promise<boolean> => (await scenario.fleet.pid(victim)) !== pid;
          await waitFor(`another ${victim}`, replaced, { limitMs: 30_000 });
          recoveryMs = await recovered(within(20_000));
        },
      });
      report(`${victim} hangs`, result, recoveryMs);
      expect(result).toMatchObject(INTACT);
      expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
      expect(recoveryMs).toBeLessThan(within(15_000));
    },
    180_000,
  );

  test('a rolling restart refuses nobody', async () => {
    const restarted = LONG ? ['jidoka-1', 'andon-1', 'kaizen-1', 'heijunka-1', 'worker-1'] : ['worker-1'];
    const result = await scenario.try({
      label: 'rolling',
      forMs: 1_000,
      retry: false,
      fault: async (recovered) => {
        for (const name of installed ? ['kanban-1', ...restarted] : restarted) {
          process.kill(await scenario.fleet.pid(name), 'SIGTERM');
          await recovered(within(20_000));
        }
      },
    });
    report('rolling restart', result);
    expect(result).toMatchObject({ ...INTACT, refused: 0, unknown: 0, repeated: 0 });
  }, 180_000);

  test('a restarted kaizen and andon know the same as before', async () => {
    const { fleet, sink } = scenario;
    const facts = async (): Promise<Facts> => {
      const [{ body: metrics }, { body: history }] = await Promise.all([
        fleet.get('/metrics'),
        fleet.get<{ items: { id: string }[] }>('/andon/history?type=execute'),
      ]);
      const records = await Promise.all(ids.map((id) => fleet.get(`/signal/${id}`)));
      const { success_count, error_count, superseded } = metrics;
      return {
        figures: { success_count, error_count, superseded },
        history: history.items,
        records: records.map(({ body }) => body),
      };
    };
    const cord = { signal_type: 'execute', mode: 'call', reason: 'to be remembered', by: 'alice' };
    const { body: call } = await fleet.call<{ id: string }>('POST', '/andon/cord', cord);
    const counted = Number((await fleet.get('/metrics')).body.success_count);
    const ids: string[] = [];
    for (let n = 0; n < 20; n += 1) ids.push(await fleet.send('execute', sink.payload(`known-${n}`)));
    await waitFor('them to be known', async () => {
      const { figures, history, records } = await facts();
      const done = records.every(({ status }) => status === 'succeeded');
      return done && figures.success_count === counted + 20 && history.some(({ id }) => id === call.id);
    });
    const before = await facts();
    for (const name of ['kaizen-1', 'andon-1']) {
      const pid = await fleet.pid(name);
      await fleet.kill(name);
      const replaced = async (): Promise<boolean> => (await fleet.pid(name)) !== pid;
      await waitFor(`another ${name}`, replaced, { limitMs: 30_000 });
    }
    // The dead one's last beat still counts for a moment: only an answer shows that its successor is there.
    const act = { owner: 'bob', countermeasure: 'seen' };
    await waitFor(
      'the call to be resumed',
      async () => (await fleet.call('POST', `/andon/${call.id}/resume`, act)).status === 200,
      { limitMs: 30_000 },
    );
    await waitFor('kaizen', async () => (await fleet.get('/metrics')).status === 200, { limitMs: 30_000 });
    const after = await facts();
    expect(after.figures).toEqual(before.figures);
    expect(after.records).toEqual(before.records);
    // The resume came later, and is newest.
    expect(after.history.slice(-before.history.length)).toEqual(before.history);
  }, 90_000);
});
