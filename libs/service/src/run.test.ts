import { Type } from '@sinclair/typebox';
import { ask, type Bus, connectBus } from '@tps/bus';
import type * as telemetry from '@tps/telemetry';
import { NatsServer, waitFor } from '@tps/testkit';
import type { ServiceContext, ServiceDefinition } from './definition';
import { type ServiceHandle, startService } from './run';

type Heartbeat = { instance: string; ready: boolean; leaving?: boolean; vitals: object };
type Test = ServiceDefinition<typeof variables, { close(): Promise<void> }>;
const variables = { TPS_TEST: Type.String({ default: '' }) };

/** The lines that services log as errors. */
const mockLines: { message: string; [field: string]: unknown }[] = [];
jest.mock('@tps/telemetry', () => ({
  ...jest.requireActual<typeof telemetry>('@tps/telemetry'),
  createLogger: () => ({
    log: () => undefined,
    info: () => undefined,
    error: (message: string, fields: object) => void mockLines.push({ message, ...fields }),
  }),
}));

let nats: NatsServer;
let bus: Bus;
let services: ServiceHandle[];
let heartbeats: Heartbeat[];
/** What happened, in order. */
let steps: string[];

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  const subject = bus.names.subjects.heartbeat('kaizen');
  bus.nc.subscribe(subject, { callback: (_, msg) => void heartbeats.push(msg.json<Heartbeat>()) });
});
beforeEach(() => {
  services = [];
  heartbeats = [];
  steps = [];
  mockLines.length = 0;
});
afterEach(() => Promise.all(services.map((service) => service.stop())));
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const report = { content: 'all well', generated_at: '2026-01-25T12:00:00.000Z' };
const note =
  (step: string): (() => Promise<void>) =>
  async () =>
    void steps.push(step);

function definition(start: Test['start'], given: Partial<Test> = {}): Test {
  return { name: 'kaizen', variables, open: async () => ({ close: note('opened closed') }), start, ...given };
}
async function run(test: Test, env: Record<string, string> = {}): Promise<ServiceHandle> {
  const fixed = { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', INSTANCE_ID: 'one' };
  const service = await startService(test, { ...fixed, ...env }, (error) => steps.push(String(error)));
  services.push(service);
  return service;
}

describe('an endpoint', () => {
  const failing = definition(async (context) => {
    context.endpoint('report', ({ format }) => {
      if (format === 'csv') throw new Error('no figures');
      return { format, ...report };
    });
    return { stop: note('stopped') };
  });

  test('answers an error of its handler and an unreadable request as errors, logs them, and goes on', async () => {
    await run(failing);
    const limit = { timeoutMs: 5_000 };
    await expect(ask(bus, 'report', { format: 'csv' }, limit)).rejects.toThrow('no figures');
    const reply = await bus.nc.request(bus.names.subjects.report, '{', { timeout: 5_000 });
    expect(reply.json()).toEqual({ error: expect.stringMatching(/\w/) as string });
    expect(await ask(bus, 'report', { format: 'json' }, limit)).toMatchObject({ content: 'all well' });
    expect(mockLines.map(({ message, endpoint }) => [message, endpoint])).toEqual([
      ['request failed', 'report'],
      ['request failed', 'report'],
    ]);
  });

  test.each([
    ['one of the replicas', false, 1],
    ['every replica, if it broadcasts', true, 2],
  ])('gets each request in %s', async (_, broadcast, expected) => {
    const counting = definition(async (context) => {
      context.endpoint('workerInFlight', () => ({ worker_id: context.instance, state: 'none' }), {
        broadcast,
      });
      return { stop: note('stopped') };
    });
    await run(counting);
    await run(counting, { INSTANCE_ID: 'two.of two' });
    const options = { strategy: 'timer' as const, maxWait: 500 };
    let replies = 0;
    for await (const reply of await bus.nc.requestMany(bus.names.subjects.workerInFlight, '{}', options)) {
      replies += Number(reply.data.length > 0);
    }
    expect(replies).toBe(expected);
  });
});

test('heartbeats tell readiness and vital figures, and the last one that the process leaves', async () => {
  let problems = ['catching up'];
  const beating = definition(async () => ({
    stop: note('stopped'),
    problems: () => problems,
    vitals: () => ({ figure: 7 }),
    onHeartbeat: (text) => void steps.push((JSON.parse(text) as Heartbeat).instance),
  }));
  const service = await run(beating);
  await waitFor('the first', () => heartbeats.length > 0);
  expect(heartbeats[0]).toMatchObject({ instance: 'one', ready: false, vitals: { figure: 7 } });
  expect(steps[0]).toBe('one');
  problems = [];
  await waitFor('a ready one', () => heartbeats.at(-1)?.ready);
  await service.stop();
  await waitFor('the last', () => heartbeats.at(-1)?.leaving);
  expect(heartbeats.at(-1)).toMatchObject({ ready: false });
});

describe('a stop', () => {
  test('refuses requests, then ends the service, then what it opened, and happens once', async () => {
    let finish = (): void => undefined;
    const stopping = definition(async (context) => {
      context.endpoint('report', () => ({ format: 'json', ...report }));
      const finished = new Promise<void>((resolve) => (finish = resolve));
      return { stop: () => (steps.push('stopping'), finished.then(note('stopped'))) };
    });
    const service = await run(stopping);
    const ended = [service.stop(), service.stop()];
    await waitFor('the service', () => steps.length > 0);
    await expect(ask(bus, 'report', { format: 'json' }, { timeoutMs: 1_000 })).rejects.toThrow();
    finish();
    await Promise.all(ended);
    expect(steps).toEqual(['stopping', 'stopped', 'opened closed']);
  });

  test('runs every step, even if one fails', async () => {
    const service = await run(definition(async () => ({ stop: () => Promise.reject(new Error('stuck')) })));
    await service.stop();
    expect(steps).toEqual(['opened closed']);
    expect(mockLines).toMatchObject([{ message: 'stopping went wrong', step: 'service' }]);
  });
});

test('a start that fails undoes the steps before it, and says why', async () => {
  const failing = definition(async (context) => {
    context.endpoint('report', () => ({ format: 'json', ...report }));
    throw new Error('no bucket');
  });
  await expect(run(failing)).rejects.toThrow('no bucket');
  expect(steps).toEqual(['opened closed']);
  const asked = ask(bus, 'report', { format: 'json' }, { timeoutMs: 1_000 });
  await expect(asked).rejects.toMatchObject({ undelivered: true });
});

test('the service begins after its endpoints answer', async () => {
  const beginning = (context: ServiceContext): void => {
    const asked = ask(context.bus, 'report', { format: 'json' }, { timeoutMs: 5_000 });
    void asked.then(note('answered'), (error: unknown) => steps.push(String(error)));
  };
  const asking = definition(async (context) => {
    context.endpoint('report', () => ({ format: 'json', ...report }));
    return { stop: note('stopped'), begin: () => beginning(context) };
  });
  await run(asking);
  await waitFor('the answer', () => steps.length > 0);
  expect(steps).toEqual(['answered']);
});

test.each([
  ['absorbs', () => true, true],
  ['does not absorb', () => false, false],
  [
    'cannot classify',
    () => {
      throw new Error('broken');
    },
    false,
  ],
])('a stray error that the service %s', async (_, absorb, expected) => {
  const service = await run(definition(async () => ({ stop: note('stopped'), absorb })));
  expect(service.absorb(new Error('stray'))).toBe(expected);
});

test('a service without `absorb` absorbs no stray error', async () => {
  const service = await run(definition(async () => ({ stop: note('stopped') })));
  expect(service.absorb(new Error('stray'))).toBe(false);
});
