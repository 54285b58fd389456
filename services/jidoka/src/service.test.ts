import { connectBus, encodeHeaders, openBucket, type Bus } from '@tps/bus';
import {
  type AdmitVerdict,
  ALL_FINE,
  type CircuitRecord,
  type JidokaBoard,
  type Outcome,
  type ReplyOf,
  WIRE_VERSION,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, sampleCall, sampleOutcome, sampleRetirement, sampleType, waitFor } from '@tps/testkit';
import { jidoka } from './service';

/** Two replicas over a real broker must behave as one. */
describe('jidoka', () => {
  let server: NatsServer;
  let bus: Bus;
  let replicas: ServiceHandle[] = [];
  let made = 0;

  const start = (name: string): Promise<ServiceHandle> =>
    startService(
      jidoka,
      {
        NATS_URL: server.url,
        METRICS_PORT: 'disabled',
        LOG_LEVEL: 'error',
        INSTANCE_ID: name,
        TPS_CB_THRESHOLD: '3',
        TPS_CB_TIMEOUT: '0.3',
      },
      (error) => {
        throw error;
      },
    );
  const record = async (outcome: Partial<Outcome>): Promise<void> => {
    made += 1;
    const whole = { ...sampleOutcome(), v: WIRE_VERSION, signal_id: `s${made}`, ...outcome };
    const headers = encodeHeaders([['traceparent', '']]);
    await bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify([whole]), { headers });
  };
  const fail = (type: string, more: Partial<Outcome> = {}): Promise<void> =>
    record({
      signal_type: type,
      status: 'failed',
      success: false,
      final: true,
      error_class: 'transient',
      ...more,
    });
  const succeed = (type: string, more: Partial<Outcome> = {}): Promise<void> =>
    record({ signal_type: type, status: 'succeeded', success: true, final: true, ...more });
  const ask = async <T>(subject: string, body: unknown): Promise<T> =>
    (await bus.nc.request(subject, JSON.stringify(body), { timeout: 2_000 })).json<T>();
  const admit = async (type: string): Promise<AdmitVerdict | typeof ALL_FINE> => {
    const request = [{ id: 'x', signal_type: type }];
    const answer = await ask<AdmitVerdict[] | typeof ALL_FINE>(bus.names.subjects.admit, request);
    return answer === ALL_FINE ? answer : answer[0]!;
  };
  const trial = (type: string): Promise<ReplyOf<'trial'>> =>
    ask(bus.names.subjects.trial, { signal_type: type, worker_id: 'w' });
  const circuit = async (type: string): Promise<JidokaBoard['circuits'][string] | undefined> =>
    (await ask<JidokaBoard>(bus.names.subjects.board('jidoka'), {})).circuits[type];
  const stateIs = (type: string, state: string): Promise<unknown> =>
    waitFor(`${type} to be ${state}`, async () => (await circuit(type))?.state === state);
  const open = async (type: string): Promise<void> => {
    for (let n = 0; n < 3; n += 1) await fail(type);
    await waitFor(`${type} to open`, async () => (await circuit(type))?.epoch === 1);
  };

  beforeAll(async () => {
    server = await NatsServer.start();
    bus = await connectBus({ url: server.url, name: 'test' });
    replicas = await Promise.all([start('jidoka-1'), start('jidoka-2')]);
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await bus.close();
    await server.stop();
  });

  test('a line that never stopped admits signals', async () => {
    expect(await admit('fresh')).toBe(ALL_FINE);
  });

  test('a circuit opens after the threshold of consecutive failures, and the refusal names the reason', async () => {
    await fail('a');
    await fail('a');
    await succeed('a');
    await open('a');
    const verdict = await waitFor('a refusal', async () => {
      const answer = await admit('a');
      return answer === ALL_FINE || answer.ok ? null : answer;
    });
    expect(verdict).toMatchObject({ code: 'CIRCUIT_OPEN', andon_id: expect.any(String) as string });
    expect(verdict.andon_id).toBe((await circuit('a'))?.andon_id);
    expect(verdict.reason).toMatch(/3 failed attempts in a row/);
    expect(await admit('b')).toBe(ALL_FINE);
  });

  test("the sender's faults and missing capacity never count against the line", async () => {
    for (let n = 0; n < 5; n += 1) {
      await fail('c', { status: 'rejected', error_class: 'rejected' });
      await fail('c', { status: 'expired', error_class: 'capacity' });
    }
    await open('marker');
    expect(await circuit('c')).toBeUndefined();
  });

  test('a timed circuit admits signals that nobody waits for, open and half-open', async () => {
    await open('async');
    const verdict = (more: object): Promise<unknown> =>
      ask(bus.names.subjects.admit, [{ id: 'x', signal_type: 'async', ...more }]);
    expect(await verdict({})).toMatchObject([{ code: 'CIRCUIT_OPEN' }]);
    expect(await verdict({ async: true })).toBe(ALL_FINE);
    await stateIs('async', 'HalfOpen');
    expect(await verdict({ async: true })).toBe(ALL_FINE);
    // The first that somebody waits for may be the trial, the second has to wait for it.
    expect(await verdict({})).toBe(ALL_FINE);
    expect(await verdict({})).toMatchObject([{ code: 'CIRCUIT_OPEN' }]);
  });

  test('one signal with many attempts stops nothing; the last of those that did starts the line when it is cancelled', async () => {
    const poison = { signal_id: 'poison', status: 'retrying', final: false } as const;
    for (let n = 0; n < 10; n += 1) await fail('p', poison);
    await open('after-poison');
    expect(await circuit('p')).toBeUndefined();
    for (const signal_id of ['poison-2', 'poison-3']) await fail('p', { ...poison, signal_id });
    await waitFor('the stop', async () => (await circuit('p'))?.epoch === 1);
    const { until } = (await circuit('p'))!;
    for (const signal_id of ['poison', 'poison-2', 'poison-3']) {
      await record({ signal_type: 'p', signal_id, status: 'cancelled', final: true, success: false });
    }
    const started = await waitFor('the trial', async () => {
      const row = await circuit('p');
      return row?.until === until ? null : row;
    });
    expect(Date.parse(started.until!)).toBeLessThan(Date.parse(until!));
  });

  test('half-open, the replicas together grant one trial; a failed trial doubles the pause', async () => {
    await open('d');
    await stateIs('d', 'HalfOpen');
    const grants = await Promise.all(Array.from({ length: 10 }, () => trial('d')));
    const granted = grants.filter((grant) => grant.granted);
    expect(granted).toHaveLength(1);
    const before = Date.now();
    await fail('d', { epoch: granted[0]!.epoch, status: 'retrying', final: false });
    await stateIs('d', 'Open');
    const { until } = (await circuit('d'))!;
    expect(Date.parse(until!) - before).toBeGreaterThan(450);
  });

  test('only the outcome of the trial closes the circuit, and its stops are remembered', async () => {
    await open('e');
    await stateIs('e', 'HalfOpen');
    await succeed('e');
    const grant = await trial('e');
    if (!grant.granted) throw new TypeError('no trial');
    expect((await circuit('e'))?.state).toBe('HalfOpen');
    await succeed('e', { epoch: grant.epoch });
    await stateIs('e', 'Closed');
    expect(await admit('e')).toBe(ALL_FINE);
    const kv = await bus.nc.request('$JS.API.DIRECT.GET.KV_tps_circuits.$KV.tps_circuits.e');
    const [stop] = kv.json<CircuitRecord>().stops;
    expect(Date.parse(stop![1]!)).toBeGreaterThan(Date.parse(stop![0]));
  });

  test('the same defect in three signals latches the line; only a person closes it, and earlier outcomes count no more', async () => {
    const defect = { error_class: 'defect', fingerprint: 'f', message: 'x is undefined' } as const;
    for (let n = 0; n < 3; n += 1) await fail('latch', defect);
    const verdict = await waitFor('a refusal', async () => {
      const answer = await admit('latch');
      return answer === ALL_FINE || answer.ok ? null : answer;
    });
    expect(verdict).toMatchObject({
      code: 'LINE_STOPPED',
      reason: expect.stringMatching(/3 signals/) as string,
    });
    expect(await circuit('latch')).toMatchObject({ state: 'Open', latched: true });
    expect(await trial('latch')).toEqual({ granted: false });
    const request = { signal_type: 'latch', reason: 'resumed by bob: mended' };
    expect(await ask(bus.names.subjects.resumeCircuit, request)).toEqual({ resumed: true });
    expect(await ask(bus.names.subjects.resumeCircuit, request)).toEqual({ resumed: true });
    await waitFor('admission', async () => (await admit('latch')) === ALL_FINE);
    await fail('latch', defect);
    await open('another');
    expect((await circuit('latch'))?.state).toBe('Closed');
  });

  test('equal defects before a timed stop, its trial and the end of both replicas count on', async () => {
    const defect = { error_class: 'defect', fingerprint: 'f', message: 'x is undefined' } as const;
    await fail('count', defect);
    await succeed('count');
    await fail('count', defect);
    await succeed('count');
    await open('count');
    await stateIs('count', 'HalfOpen');
    const grant = await trial('count');
    if (!grant.granted) throw new TypeError('no trial');
    await succeed('count', { epoch: grant.epoch });
    await stateIs('count', 'Closed');
    await Promise.all(replicas.map((replica) => replica.stop()));
    replicas = await Promise.all([start('jidoka-6'), start('jidoka-7')]);
    await fail('count', defect);
    await waitFor('the latch', async () => (await circuit('count'))?.latched);
  });

  test('a line that a person stopped admits nothing and grants no trial; its call may accept signals that nobody waits for', async () => {
    const bucket = await openBucket(bus, bus.names.buckets.stops, 1);
    const put = (intake: 'hold' | 'refuse'): Promise<number> => {
      const call = sampleCall({ line: 'cord', mode: 'stop', intake });
      const record = { v: WIRE_VERSION, line: 'cord', call, stops: [], resolved: [], unlogged: [] };
      return bucket.put('cord', JSON.stringify(record));
    };
    const verdict = async (more: object): Promise<unknown> =>
      ask(bus.names.subjects.admit, [{ id: 'x', signal_type: 'cord', ...more }]);
    await put('refuse');
    await waitFor('the refusal', async () => (await verdict({ async: true })) !== ALL_FINE);
    expect(await verdict({})).toMatchObject([{ code: 'LINE_STOPPED', reason: 'smells burnt' }]);
    expect(await trial('cord')).toEqual({ granted: false });
    await put('hold');
    await waitFor('the admission', async () => (await verdict({ async: true })) === ALL_FINE);
    expect(await verdict({})).toMatchObject([{ code: 'LINE_STOPPED' }]);
  });

  test('a restart of every replica forgets nothing', async () => {
    await open('f');
    const before = await circuit('f');
    await Promise.all(replicas.map((replica) => replica.stop()));
    replicas = await Promise.all([start('jidoka-3'), start('jidoka-4')]);
    const after = await waitFor('the circuit', () => circuit('f'));
    expect({ ...after, state: '' }).toEqual({ ...before, state: '' });
    // The circuit continues with its first trial.
    await stateIs('f', 'HalfOpen');
    const grant = await trial('f');
    expect(grant).toMatchObject({ granted: true, epoch: before!.epoch + 1 });
    await succeed('f', { epoch: before!.epoch + 1 });
    await stateIs('f', 'Closed');
  });

  test('a retired type has no circuit, a restart does not open one again, and coming back it runs', async () => {
    const types = await openBucket(bus, bus.names.buckets.types, 1);
    const retirement = sampleRetirement();
    await types.put('old', JSON.stringify(sampleType('old')));
    await open('old');
    await types.put('old', JSON.stringify(sampleType('old', { retired: retirement })));
    const request = { signal_type: 'old', retirement };
    for (let times = 0; times < 3; times += 1) {
      expect(await ask(bus.names.subjects.retireCircuit, request)).toEqual({ done: true });
    }
    await waitFor('it to be gone', async () => (await circuit('old')) === undefined);
    await Promise.all(replicas.map((replica) => replica.stop()));
    replicas = [await start('jidoka-5')];
    // The log from before is read again by then.
    await open('after-old');
    expect(await circuit('old')).toBeUndefined();
    await types.put('old', JSON.stringify(sampleType('old')));
    await fail('old');
    await fail('old');
    await open('after-that');
    expect(await admit('old')).toBe(ALL_FINE);
  });
});
