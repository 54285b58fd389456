import { connectBus, managerOf } from '@tps/bus';
import { NatsServer, waitFor } from '@tps/testkit';
import { Load } from './load';
import { INTACT, report, repeatable, FaultScenario, within } from './fault-scenario';

const RECOVERY_MS = 60_000;
const PER_SECOND = 60;
const TIMEOUT_MS = 300_000;
/** Ready, health and board may say for so long that all is well while nothing is accepted. */
const UNTRUE_MS = 5_000;
const LOOK_MS = 100;
const OBEYED_MS = 1_000;

interface Board {
  colour: string;
  stations: Record<string, { colour: string; rule: string; reason: string }>;
}

/** Compares the fleet's own state with the signals that it accepted meanwhile. */
class Truth {
  /** Longest time on end in which nothing was accepted and ready was 200 or the board GREEN, in milliseconds. */
  untrueMs = 0;
  private refusedSince = 0;
  private over = false;
  private readonly done: Promise<void>;

  constructor(private readonly scenario: FaultScenario) {
    this.done = this.watch();
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.done;
  }

  private async watch(): Promise<void> {
    while (!this.over) {
      const { fleet } = this.scenario;
      const began = Date.now();
      const [answer, ready, board] = await Promise.all([
        fleet.post('execute', { task: 'demo' }, { headers: { prefer: 'respond-async' } }).catch(() => null),
        fleet.get('/health/ready').catch(() => null),
        fleet.get<Board>('/andon', { accept: 'application/json' }).catch(() => null),
      ]);
      const accepted = answer?.status === 202;
      const saysWell = ready?.status === 200 || board?.body.colour === 'GREEN';
      if (accepted || !saysWell) this.refusedSince = 0;
      else this.refusedSince ||= began;
      if (this.refusedSince > 0) this.untrueMs = Math.max(this.untrueMs, Date.now() - this.refusedSince);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

describe('state that NATS loses under load', () => {
  let nats: NatsServer;
  let scenario: FaultScenario;
  beforeAll(async () => {
    nats = await NatsServer.start();
    scenario = await FaultScenario.start({ NATS_URL: nats.url });
  }, 120_000);
  afterAll(async () => {
    await scenario?.stop();
    await nats?.stop();
  }, 60_000);

  async function deleteStream(name: string): Promise<void> {
    const bus = await connectBus({ url: nats.url, name: 'test' });
    await (await managerOf(bus)).streams.delete(name);
    await bus.close();
  }

  async function stopLine(): Promise<string> {
    const { status, body } = await scenario.fleet.call<{ id: string }>('POST', '/andon/cord', {
      signal_type: 'validate',
      mode: 'stop',
      reason: 'drill',
    });
    expect(status).toBe(201);
    return body.id;
  }

  test('the whole store: the fleet says so, takes work again, and obeys people', async () => {
    const load = new Load({
      url: scenario.fleet.url,
      label: 'store',
      perSecond: PER_SECOND,
      signal: (key) => ({
        signal_type: 'execute',
        payload: scenario.sink.payload(key, 0),
        timeout_ms: TIMEOUT_MS,
      }),
    });
    const healthy = async (): Promise<boolean> => (await scenario.fleet.get('/health')).body.healthy === true;
    let recoveryMs = 0;
    let truth: Truth | undefined;
    await load.during(async () => {
      truth = new Truth(scenario);
      await nats.loseStore();
      recoveryMs = await load.recovery(healthy, RECOVERY_MS);
    }, 5_000);
    await truth?.stop();
    process.stdout.write(`empty store: recovery=${Math.round(recoveryMs)}ms untrue=${truth?.untrueMs}ms\n`);
    expect(recoveryMs).toBeLessThan(within(15_000));
    expect(truth?.untrueMs).toBeLessThan(within(UNTRUE_MS));
    const told = await waitFor('the board to tell what was lost', async () => {
      const { body } = await scenario.fleet.get<Board>('/andon', { accept: 'application/json' });
      const { kanban } = body.stations;
      return kanban?.rule === 'state_lost' ? { colour: body.colour, reason: kanban.reason } : null;
    });
    expect(told).toMatchObject({ colour: 'RED' });
    expect(told.reason).toMatch(/KANBAN/);
    expect(told.reason).toMatch(/OUTCOMES/);

    const id = await stopLine();
    const pulled = Date.now();
    await waitFor('the cord to be obeyed', async () => {
      const { status, body } = await scenario.fleet.post('validate', { data: 1 });
      return status === 503 && body.code === 'LINE_STOPPED';
    });
    const obeyedMs = Date.now() - pulled;
    process.stdout.write(`cord after an empty store: obeyed in ${obeyedMs}ms\n`);
    expect(obeyedMs).toBeLessThan(within(OBEYED_MS));
    const answer = { owner: 'me', countermeasure: 'drill over' };
    expect((await scenario.fleet.call('POST', `/andon/${id}/resume`, answer)).status).toBe(200);
    await waitFor(
      'the line to run',
      async () => (await scenario.fleet.post('validate', { data: 1 })).status === 202,
    );
  }, 200_000);

  test.each([
    ['the records of types', 'KV_tps_types'],
    ['the stops of people', 'KV_tps_stops'],
    ['the circuits', 'KV_tps_circuits'],
    ['the history of the andon', 'ANDON'],
  ])(
    '%s: nothing that was accepted is lost, and new signals are taken',
    async (_, stream) => {
      let recoveryMs = 0;
      const result = await scenario.try({
        label: stream,
        forMs: 3_000,
        fault: async (recovered) => {
          await deleteStream(stream);
          recoveryMs = await recovered(RECOVERY_MS);
        },
      });
      report(`${stream} deleted`, result, recoveryMs);
      expect(result).toMatchObject(INTACT);
      expect(result.repeated).toBeLessThanOrEqual(repeatable(result));
      expect(recoveryMs).toBeLessThan(within(15_000));
    },
    150_000,
  );

  test('a lane: it is made again, and what waits on it runs', async () => {
    let recoveryMs = 0;
    const result = await scenario.try({
      label: 'lane',
      forMs: 3_000,
      fault: async (recovered) => {
        const bus = await connectBus({ url: nats.url, name: 'test' });
        await (await managerOf(bus)).consumers.delete(bus.names.streams.kanban, 'execute_3');
        await bus.close();
        recoveryMs = await recovered(RECOVERY_MS);
      },
    });
    report('lane deleted', result, recoveryMs);
    expect(result).toMatchObject(INTACT);
    expect(recoveryMs).toBeLessThan(within(15_000));
  }, 150_000);
});
