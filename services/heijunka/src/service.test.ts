import { type Bus, connectBus, openBucket } from '@tps/bus';
import {
  type ArrivalsMessage,
  type HeijunkaBoard,
  type Outcome,
  type RequestOf,
  SCHEDULE_KEY,
  type ScheduleRecord,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, sampleOutcome, sampleRetirement, sampleType, waitFor } from '@tps/testkit';
import { heijunka, levelAttributes } from './service';

jest.setTimeout(30_000);

let nats: NatsServer;
let bus: Bus;
const running = new Set<ServiceHandle>();

async function start(instance: string): Promise<ServiceHandle> {
  const service = await startService(
    heijunka,
    { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', INSTANCE_ID: instance },
    (error) => console.error(error),
  );
  running.add(service);
  return service;
}
async function stop(service: ServiceHandle): Promise<void> {
  running.delete(service);
  await service.stop();
}

const publish = (outcomes: Partial<Outcome>[]): Promise<unknown> =>
  bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify(outcomes.map(sampleOutcome)));

function announce(arrivals: Record<string, number>, waiting: Record<string, number> = {}): void {
  const message: ArrivalsMessage = { v: 1, instance: 'kanban-1', interval_ms: 1_000, arrivals, waiting };
  bus.nc.publish(bus.names.subjects.arrivals, JSON.stringify(message));
}

async function board(): Promise<HeijunkaBoard> {
  const reply = await bus.nc.request(bus.names.subjects.board('heijunka'), '', { timeout: 5_000 });
  return reply.json<HeijunkaBoard>();
}

async function schedule(): Promise<ScheduleRecord & { revision: number }> {
  const entry = await (await openBucket(bus, bus.names.buckets.schedule, 1)).get(SCHEDULE_KEY);
  return { ...entry!.json<ScheduleRecord>(), revision: entry!.revision };
}

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  await start('one');
});
afterAll(async () => {
  await Promise.all([...running].map((service) => service.stop()));
  await bus.close();
  await nats.stop();
});

test('a schedule exists from the start', async () => {
  expect(await schedule()).toMatchObject({ v: 1, classes: { 1: 8, 2: 4, 3: 2, 4: 1 }, demand: {} });
});

test('the schedule follows the demand by type, and unreadable announcements are skipped', async () => {
  bus.nc.publish(bus.names.subjects.arrivals, 'not json');
  bus.nc.publish(bus.names.subjects.arrivals, '{"arrivals":7}');
  announce({ a_1: 100, a_3: 200, b_3: 100, c_4: 100 }, { a_3: 60 });
  const written = await waitFor('the schedule', async () => {
    const now = await schedule();
    return 'a' in now.demand ? now : undefined;
  });
  expect(written.demand.a! / written.demand.b!).toBeCloseTo(3, 1);
  expect(written.demand.b).toBe(written.demand.c);
  const { demand, takt_ms, schedule: shown } = await board();
  expect(shown?.demand).toEqual(written.demand);
  expect(demand.a).toMatchObject({ backlog: 60 });
  expect(takt_ms.a).toBeGreaterThan(0);
  expect(takt_ms.b! / takt_ms.a!).toBeCloseTo(3, 1);
});

test('capacity is measured from heartbeats and outcomes, without superseded ones', async () => {
  const at = new Date().toISOString();
  const beat = { v: 1, service: 'worker', instance: 'w1', started_at: at, at, ready: true };
  const vitals = { slots: 4, busy: 2, types: ['a'], started: 9 };
  bus.nc.publish(bus.names.subjects.heartbeat('worker'), JSON.stringify({ ...beat, vitals }));
  await publish([
    { signal_id: 'x', signal_type: 'a', process_ms: 100, worker_id: 'w1' },
    { signal_id: 'y', signal_type: 'a', process_ms: 50 },
  ]);
  await publish([{ signal_id: 'x', signal_type: 'a', process_ms: 9_000 }]);
  await bus.publisher.publish(bus.names.subjects.outcomeBatch, 'not json');
  const now = await board();
  expect(now.cycle_ms).toEqual({ a: 75 });
  expect(now.utilisation).toBe(0.5);
  expect(now.workers_needed).toBeGreaterThan(0);
  expect(now.distribution).toEqual({ w1: { slots: 4, busy: 2, started: 9, share: 1 } });
  expect(now.evenness).toBe(1);
});

test('a restart rebuilds the cycle times and keeps the schedule; a second replica agrees and writes nothing', async () => {
  const before = await schedule();
  for (const service of [...running]) await stop(service);
  await start('two');
  await waitFor('the rebuild', async () => (await board()).cycle_ms.a === 75);
  expect(await schedule()).toEqual(before);

  await start('three');
  // Only the older replica may write, so one announcement causes one write at most.
  announce({ b_3: 500 });
  const after = await waitFor('another schedule', async () => {
    const now = await schedule();
    return now.revision > before.revision ? now : undefined;
  });
  expect(after.revision).toBe(before.revision + 1);
  for (let i = 0; i < 6; i += 1) {
    const { cycle_ms, schedule: shown } = await board();
    expect(cycle_ms).toEqual({ a: 75 });
    expect(shown?.classes).toEqual(after.classes);
  }
});

test('the advice on cards follows demand and work, and is part of the schedule', async () => {
  const at = new Date().toISOString();
  const beat = { v: 1, service: 'worker', instance: 'w1', started_at: at, at, ready: true };
  const vitals = { slots: 64, busy: 2, types: ['a'], started: 9 };
  bus.nc.publish(bus.names.subjects.heartbeat('worker'), JSON.stringify({ ...beat, vitals }));
  // 40 signals a second of 75 ms each need 3 cards, and half as much again.
  announce({}, { a_3: 2_400 });
  const written = await waitFor('the advice', async () => {
    const { cards } = await schedule();
    return cards?.a ? cards : undefined;
  });
  expect(written.a).toBe(5);
});

test('a rate of a type is set, shown and removed', async () => {
  const setRate = async (max_per_s: number | null): Promise<unknown> => {
    const request: RequestOf<'rate'> = { signal_type: 'a', max_per_s };
    const reply = await bus.nc.request(bus.names.subjects.rate, JSON.stringify(request), { timeout: 5_000 });
    return reply.json();
  };
  expect(await setRate(2.5)).toEqual({ signal_type: 'a', max_per_s: 2.5 });
  await waitFor('the board', async () => (await board()).max_per_s.a === 2.5);
  const before = await schedule();
  expect(await setRate(null)).toEqual({ signal_type: 'a', max_per_s: null });
  await waitFor('the board', async () => !('a' in (await board()).max_per_s));
  expect((await schedule()).demand).toEqual(before.demand);
});

test('a retired type has no rate, no demand and no place in the schedule', async () => {
  const retirement = sampleRetirement();
  const types = await openBucket(bus, bus.names.buckets.types, 1);
  const rate: RequestOf<'rate'> = { signal_type: 'a', max_per_s: 2.5 };
  await bus.nc.request(bus.names.subjects.rate, JSON.stringify(rate), { timeout: 5_000 });
  expect(await schedule()).toMatchObject({ demand: { a: expect.any(Number) as number }, cards: { a: 5 } });
  await types.put('a', JSON.stringify(sampleType('a', { retired: retirement })));
  const request = JSON.stringify({ signal_type: 'a', retirement });
  const reply = await bus.nc.request(bus.names.subjects.retireLevels, request, { timeout: 5_000 });
  expect(reply.json()).toEqual({ done: true });
  // The replicas still remember the demand of the type, and must not write it again.
  announce({ b_3: 1_000 });
  await waitFor('another schedule', async () => (await schedule()).demand.b! > 1);
  const { demand, cards } = await schedule();
  for (const figures of [demand, cards]) expect(figures).not.toHaveProperty('a');
  const now = await board();
  expect(now.max_per_s).toEqual({});
  for (const figures of [now.demand, now.takt_ms, now.cycle_ms]) expect(figures).not.toHaveProperty('a');
});

test('the span names lane, place in the sequence and wait for a card', () => {
  const level = { lane: 'a/3', place: 17, card_wait_ms: 0.4 };
  expect(levelAttributes(sampleOutcome({ level }))).toEqual({
    'tps.lane': 'a/3',
    'tps.level.place': 17,
    'tps.card.wait_ms': 0.4,
  });
  expect(levelAttributes(sampleOutcome())).toEqual({});
});
