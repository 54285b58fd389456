import { freePort, RabbitServer, waitFor } from '@tps/testkit';
import { INTACT, LONG, report, Scene, within } from './scene';

/** A service, or a broker: what `make up` runs is killed as it is, and must come back by itself. */
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
const LOAD_MS = LONG ? 60_000 : 3_000;
const installed = RabbitServer.isInstalled;

describe('SIGKILL of each process in turn, under load', () => {
  let scene: Scene;
  let accepted = 0;
  let repeated = 0;
  beforeAll(async () => {
    const rabbit = installed
      ? { TPS_RABBITMQ: 'auto', RABBITMQ_URL: `amqp://guest:guest@127.0.0.1:${await freePort()}` }
      : {};
    scene = await Scene.start(rabbit);
  }, 120_000);
  afterAll(() => scene?.stop(), 90_000);

  test.each(VICTIMS)(
    '%s',
    async (victim, limitMs) => {
      let recoveryMs = 0;
      const verdict = await scene.try({
        label: victim,
        forMs: LOAD_MS,
        fault: async (recovered) => {
          await scene.fleet.kill(victim);
          recoveryMs = await recovered(limitMs * 3);
        },
      });
      report(victim, verdict, recoveryMs);
      expect(verdict).toMatchObject(INTACT);
      expect(recoveryMs).toBeLessThan(limitMs);
      accepted += verdict.accepted;
      repeated += verdict.repeated;
    },
    LOAD_MS + 150_000,
  );

  test('under one effect in a hundred was repeated', () => {
    expect(accepted).toBeGreaterThan(VICTIMS.length * 100);
    expect((repeated / accepted) * 100).toBeLessThan(1);
  });

  test('a rolling restart refuses nobody', async () => {
    const restarted = LONG ? ['jidoka-1', 'andon-1', 'kaizen-1', 'heijunka-1', 'worker-1'] : ['worker-1'];
    const verdict = await scene.try({
      label: 'rolling',
      forMs: 1_000,
      retry: false,
      fault: async (recovered) => {
        for (const name of installed ? ['kanban-1', ...restarted] : restarted) {
          process.kill(await scene.fleet.pid(name), 'SIGTERM');
          await recovered(within(20_000));
        }
      },
    });
    report('rolling restart', verdict);
    expect(verdict).toMatchObject({ ...INTACT, refused: 0, unknown: 0, repeated: 0 });
  }, 180_000);

  test('a restarted kaizen and andon know the same as before', async () => {
    const { fleet } = scene;
    const { body: before } = await fleet.get('/metrics');
    await fleet.kill('kaizen-1');
    await fleet.kill('andon-1');
    const after = await waitFor(
      'the figures to be back',
      async () => {
        const { status, body } = await fleet.get('/metrics');
        return status === 200 && body.total_processed === before.total_processed ? body : null;
      },
      { limitMs: 30_000 },
    );
    expect({ ...after, error_rate_5m: 0 }).toEqual({ ...before, error_rate_5m: 0 });
  }, 60_000);
});
