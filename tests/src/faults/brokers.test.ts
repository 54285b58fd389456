import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICES } from '@tps/contracts';
import { NatsServer, type NatsServerOptions, RabbitServer, TcpProxy, waitFor } from '@tps/testkit';
import { MemoryWatch } from './memory';
import { INTACT, LONG, long, repeatable, report, FaultScenario, within } from './fault-scenario';
import { SmallStore } from './small-store';

const RECOVERY_MS = 30_000;
/** A fault's length, in the short and in the long suite. */
const lasting = (shortMs: number, longMs: number): number => (LONG ? longMs : shortMs);

/** Allowed growth of a process that carries sixty signals of 128 KiB a second to brokers that take none. */
const GROWTH_MIB = 160;

interface Backup {
  active: boolean;
  on_backup: number;
  reconciled: number;
}

RabbitServer.describe('brokers that fail under load', () => {
  let nats: NatsServer;
  let rabbit: RabbitServer;
  let proxy: TcpProxy;
  let rabbitProxy: TcpProxy;
  let scenario: FaultScenario;
  let store: SmallStore;
  /** Read whenever it starts. */
  const settings: NatsServerOptions = {};
  beforeAll(async () => {
    [nats, rabbit] = await Promise.all([NatsServer.start(settings), RabbitServer.start()]);
    proxy = await TcpProxy.start(nats.port);
    rabbitProxy = await TcpProxy.start(rabbit.ports.amqp);
    const RABBITMQ_URL = rabbit.url.replace(/\d+$/, String(rabbitProxy.port));
    scenario = await FaultScenario.start({ NATS_URL: `nats://127.0.0.1:${proxy.port}`, RABBITMQ_URL });
    store = await SmallStore.at(nats.url);
    await waitFor('the backup to be reachable', async () => (await backup()).active === false);
    await rabbit.writeQueuesDown();
  }, 150_000);
  afterAll(async () => {
    await scenario?.stop();
    await store?.close();
    await Promise.all([proxy?.stop(), rabbitProxy?.stop()]);
    await nats?.stop();
    await rabbit?.stop();
  }, 90_000);

  async function backup(): Promise<Backup> {
    const { body } = await scenario.fleet.get<{ backup: Backup }>('/kanban');
    return body.backup;
  }
  /** Watches until the promise is settled. @returns how often the backup was turned on or off */
  async function modeChanges(until: Promise<unknown>): Promise<number> {
    let over = false;
    void until.finally(() => (over = true));
    let was = (await backup()).active;
    let changes = 0;
    while (!over) {
      const { active } = await backup();
      if (active !== was) changes += 1;
      was = active;
      await sleep(100);
    }
    return changes;
  }

  function services(): Promise<number[]> {
    return Promise.all(SERVICES.map((service) => scenario.fleet.pid(`${service}-1`)));
  }

  test('NATS down: every signal is accepted within 2 s and runs when it is back', async () => {
    let recoveryMs = 0;
    const { reconciled } = await backup();
    const result = await scenario.try({
      label: 'down',
      forMs: lasting(8_000, 70_000),
      retry: false,
      fault: async (recovered) => {
        await nats.kill();
        await waitFor('the backup to be said to be active', async () => (await backup()).active);
        await waitFor('signals to be counted there', async () => (await backup()).on_backup > 10);
        expect((await scenario.fleet.get('/health/ready')).status).toBe(200);
        await sleep(lasting(4_000, 60_000));
        await nats.restart();
        recoveryMs = await recovered(RECOVERY_MS);
      },
    });
    report('nats down', result, recoveryMs);
    expect(result).toMatchObject({ ...INTACT, refused: 0, unknown: 0 });
    expect(result.longestMs).toBeLessThan(within(2_000));
    expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
    expect(recoveryMs).toBeLessThan(within(15_000));
    expect((await backup()).reconciled).toBeGreaterThan(reconciled + 100);
  }, 250_000);

  test('NATS frozen: a signal of unknown fate goes to the backup too, and runs once', async () => {
    let recoveryMs = 0;
    const result = await scenario.try({
      label: 'frozen',
      forMs: lasting(6_000, 40_000),
      fault: async (recovered) => {
        await nats.freeze();
        await sleep(lasting(4_000, 30_000));
        nats.thaw();
        recoveryMs = await recovered(RECOVERY_MS);
      },
    });
    report('nats frozen', result, recoveryMs);
    expect(result).toMatchObject(INTACT);
    expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
    expect(recoveryMs).toBeLessThan(within(15_000));
  }, 200_000);

  test('NATS flapping every three seconds: the mode changes at most twice a minute', async () => {
    let changes = 0;
    const flaps = lasting(2, 10);
    const result = await scenario.try({
      label: 'flapping',
      forMs: 0,
      fault: async (recovered) => {
        const flapping = (async () => {
          for (let flap = 0; flap < flaps; flap += 1) {
            proxy.set('refuse');
            await sleep(3_000);
            proxy.set('pass');
            await sleep(3_000);
          }
        })();
        changes = await modeChanges(flapping);
        await recovered(RECOVERY_MS);
      },
    });
    report(`nats flapping (${changes} changes)`, result);
    expect(result).toMatchObject(INTACT);
    expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
    expect(changes).toBeLessThanOrEqual(2);
  }, 250_000);

  test.each([
    ['a connection on which nothing comes through', 'hang', lasting(5_000, 30_000)],
    ['acknowledgements that are lost', 'deaf', lasting(3_000, 10_000)],
  ] as const)(
    '%s',
    async (_, mode, ms) => {
      let recoveryMs = 0;
      const result = await scenario.try({
        label: mode,
        forMs: 0,
        fault: async (recovered) => {
          proxy.set(mode);
          await sleep(ms);
          proxy.set('pass');
          recoveryMs = await recovered(RECOVERY_MS);
        },
      });
      report(mode, result, recoveryMs);
      expect(result).toMatchObject(INTACT);
      expect(recoveryMs).toBeLessThan(within(25_000));
    },
    200_000,
  );

  test('NATS restarted: it has forgotten which ids it had, and nothing runs twice all the same', async () => {
    const first = await scenario.try({ label: 'again', forMs: 1_000, fault: async () => undefined });
    const before = new Map(scenario.sink.effects);
    const result = await scenario.try({
      label: 'again',
      forMs: 1_000,
      fault: async (recovered) => {
        // For the next test: it has little room from now on.
        settings.config = await store.prepare();
        await nats.kill('SIGTERM');
        await sleep(500);
        await nats.restart();
        await recovered(RECOVERY_MS);
      },
    });
    expect(first).toMatchObject(INTACT);
    // The signals of the first time are not new: neither effects nor figures count them again.
    const repeated = [...before.keys()].filter((key) => scenario.sink.effects.get(key) !== before.get(key));
    expect({ repeated, lost: result.lost, unexpected: result.unexpected }).toEqual({
      repeated: [],
      lost: [],
      unexpected: [],
    });
  }, 150_000);

  test('NATS out of space: the backup takes what the stream refuses, and nothing is lost', async () => {
    const pids = await services();
    let recoveryMs = 0;
    const result = await scenario.try({
      label: 'space',
      forMs: 0,
      retry: false,
      fault: async (recovered) => {
        await store.fill();
        await waitFor('the backup to hold signals', async () => (await backup()).on_backup > 10);
        await sleep(lasting(2_000, 30_000));
        await store.empty();
        recoveryMs = await recovered(RECOVERY_MS);
      },
    });
    report('nats out of space', result, recoveryMs);
    expect(result).toMatchObject({ ...INTACT, refused: 0, unknown: 0 });
    expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
    expect(recoveryMs).toBeLessThan(within(15_000));
    expect(await services()).toEqual(pids);
  }, 200_000);

  long(
    'both brokers stuck under large signals: memory stays bounded',
    async () => {
      const memory = await MemoryWatch.of(scenario.fleet, ['gateway-1', 'kanban-1']);
      let grownMib: Record<string, number> = {};
      const result = await scenario.try({
        label: 'stuck',
        forMs: 0,
        retry: false,
        bytes: 128 * 1024,
        fault: async (recovered) => {
          proxy.set('hang');
          rabbitProxy.set('hang');
          await sleep(60_000);
          grownMib = await memory.stop();
          proxy.set('pass');
          rabbitProxy.set('pass');
          await recovered(RECOVERY_MS);
        },
      });
      report(`both stuck, grown by ${JSON.stringify(grownMib)} MiB`, result);
      expect(result).toMatchObject(INTACT);
      expect(Math.max(...Object.values(grownMib))).toBeLessThan(GROWTH_MIB);
    },
    300_000,
  );

  test('both brokers down: an honest refusal within a second, and nothing of it was accepted', async () => {
    await rabbit.writeQueuesDown();
    let between = 0;
    const result = await scenario.try({
      label: 'both',
      forMs: 0,
      retry: false,
      fault: async (recovered) => {
        await Promise.all([nats.kill(), rabbit.kill()]);
        await waitFor(
          'a refusal',
          async () => (await scenario.fleet.post('validate', { data: 1 })).status === 503,
        );
        const began = performance.now();
        const { status, body, headers } = await scenario.fleet.post('validate', { data: 1 });
        between = performance.now() - began;
        expect({ status, body }).toMatchObject({ status: 503, body: { code: 'NO_BROKER', accepted: false } });
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
        await sleep(lasting(4_000, 20_000));
        await nats.restart();
        await recovered(RECOVERY_MS);
        await rabbit.restart();
      },
    });
    report('both down', result);
    expect(between).toBeLessThan(within(1_000));
    expect(result).toMatchObject(INTACT);
    expect(result.refused).toBeGreaterThan(0);
    await waitFor('the backup to be reachable', async () => (await backup()).on_backup === 0, {
      limitMs: 30_000,
    });
  }, 200_000);
});
