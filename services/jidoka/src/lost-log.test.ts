import { type Bus, connectBus, managerOf } from '@tps/bus';
import {
  type AdmitVerdict,
  type ALL_FINE,
  type JidokaBoard,
  type Outcome,
  WIRE_VERSION,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, sampleOutcome, waitFor } from '@tps/testkit';
import { jidoka } from './service';

jest.setTimeout(60_000);

/** jidoka goes on while the broker loses what it follows. */
describe('after the broker lost', () => {
  let server: NatsServer;
  let bus: Bus;
  let service: ServiceHandle;
  let made = 0;

  const ask = async <T>(subject: string, body: unknown): Promise<T> =>
    (await bus.nc.request(subject, JSON.stringify(body), { timeout: 2_000 })).json<T>();
  const record = async (outcome: Partial<Outcome>): Promise<unknown> => {
    made += 1;
    const whole = { ...sampleOutcome(outcome), v: WIRE_VERSION, signal_id: `s${made}` };
    return bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify([whole]));
  };
  const fail = (): Promise<unknown> =>
    record({ signal_type: 'press', status: 'failed', success: false, error_class: 'transient' });
  const failing = async (): Promise<void> => {
    for (let n = 0; n < 3; n += 1)
      await waitFor('a stream that takes the outcome', () => fail().catch(() => null));
  };
  const circuit = async (): Promise<JidokaBoard['circuits'][string] | undefined> =>
    (await ask<JidokaBoard>(bus.names.subjects.board('jidoka'), {})).circuits.press;
  const stateIs = (state: string): Promise<unknown> =>
    waitFor(`the circuit to be ${state}`, async () => (await circuit())?.state === state);
  const resume = (): Promise<unknown> =>
    ask(bus.names.subjects.resumeCircuit, { signal_type: 'press', reason: 'mended' });

  beforeEach(async () => {
    server = await NatsServer.start();
    bus = await connectBus({ url: server.url, name: 'test' });
    const env = { NATS_URL: server.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', INSTANCE_ID: 'one' };
    service = await startService(
      jidoka,
      { ...env, TPS_CB_THRESHOLD: '3', TPS_CB_TIMEOUT: '600' },
      () => undefined,
    );
    // The circuit accounts for far more than the next log will have for a while.
    for (let n = 0; n < 20; n += 1) await record({ signal_type: 'other' });
    await failing();
    await stateIs('Open');
  });
  afterEach(async () => {
    await service.stop();
    await bus.close();
    await server.stop();
  });

  test('its log: a circuit that accounted for more of it than the next one has opens all the same', async () => {
    await resume();
    await stateIs('Closed');
    await (await managerOf(bus)).streams.delete(bus.names.streams.outcomes);
    await failing();
    await stateIs('Open');
    expect(await resume()).toEqual({ resumed: true });
  });

  test('its store: an open circuit stays open, and closes when a person resumes the line', async () => {
    await server.loseStore();
    await waitFor('the connection', () => bus.connected);
    const admit = (): Promise<AdmitVerdict[] | typeof ALL_FINE> =>
      ask(bus.names.subjects.admit, [{ id: 'x', signal_type: 'press' }]);
    const answered = await waitFor('jidoka', () => admit().catch(() => null));
    expect(answered).toMatchObject([{ ok: false, code: 'CIRCUIT_OPEN' }]);
    const { streams } = await managerOf(bus);
    const written = async (): Promise<boolean> =>
      (await streams.info(`KV_${bus.names.buckets.circuits}`)).state.messages === 1;
    await waitFor('it to be written again', () => written().catch(() => false));
    expect(await admit()).toMatchObject([{ ok: false, code: 'CIRCUIT_OPEN' }]);
    await waitFor('it to be resumed', async () => {
      const reply = await resume();
      return (reply as { resumed?: boolean }).resumed;
    });
    await stateIs('Closed');
    await failing();
    await stateIs('Open');
  });
});
