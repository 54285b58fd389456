import { type Bus, connectBus, managerOf, openBucket } from '@tps/bus';
import {
  type Heartbeat,
  type EnqueueVerdict,
  type KanbanBoard,
  parseHeartbeat,
  type ReplyOf,
  type Signal,
  type TypeRecord,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, waitFor } from '@tps/testkit';
import { kanban } from '../service';

jest.setTimeout(60_000);

const TYPE = 'demo';
const LANES = [1, 2, 3, 4].map((priority) => `${TYPE}_${priority}`);
/** kanban checks its streams at least every five seconds. */
const SECONDS = { limitMs: 8_000 };

describe('the streams and lanes of kanban', () => {
  let nats: NatsServer;
  let bus: Bus;
  let service: ServiceHandle;
  let beats: Heartbeat<'kanban'>[];
  let ids = 0;

  const ask = async <T>(subject: string, request: unknown): Promise<T> =>
    (await bus.nc.request(subject, JSON.stringify(request), { timeout: 1_000 })).json<T>();
  const board = (): Promise<KanbanBoard> => ask(bus.names.subjects.board('kanban'), null);
  const enqueue = async (timeout_ms = 600_000): Promise<EnqueueVerdict> => {
    const signal: Signal = {
      ...{ v: 1, id: `s-${(ids += 1)}`, run: 0, signal_type: TYPE, priority: 3, payload: {} },
      ...{ timeout_ms, created_at: new Date().toISOString() },
    };
    const answer = await ask<1 | EnqueueVerdict[]>(bus.names.subjects.enqueue, [signal]);
    return answer === 1 ? { ok: true } : answer[0]!;
  };
  const accepted = (): Promise<boolean> =>
    enqueue()
      .then(({ ok }) => ok)
      .catch(() => false);
  const lanes = async (): Promise<string[]> => {
    const names: string[] = [];
    const { consumers } = await managerOf(bus);
    for await (const { name } of consumers.list(bus.names.streams.kanban)) names.push(name);
    return names.sort();
  };
  const hasLanes = (): Promise<boolean> => lanes().then((all) => all.length === LANES.length);
  const last = (): Heartbeat<'kanban'> | undefined => beats.at(-1);

  beforeEach(async () => {
    nats = await NatsServer.start();
    bus = await connectBus({ url: nats.url, name: 'test' });
    beats = [];
    bus.nc.subscribe(bus.names.subjects.heartbeat('kanban'), {
      callback: (_, msg) => void beats.push(parseHeartbeat(msg) as Heartbeat<'kanban'>),
    });
    const env = { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', INSTANCE_ID: 'kanban-1' };
    service = await startService(kanban, { ...env, TPS_KANBAN_BUFFER: '10' }, () => undefined);
    const types = await openBucket(bus, bus.names.buckets.types, 1);
    const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
    const record: TypeRecord = { v: 1, name: TYPE, timeout_ms: 30_000, retry, registered_at: '' };
    await types.put(TYPE, JSON.stringify(record));
    await waitFor('the lanes', hasLanes);
  });
  afterEach(async () => {
    await service.stop();
    await bus.close();
    await nats.stop();
  });

  test('are created again after an empty store, and the loss is reported with the number of unfinished signals', async () => {
    for (let n = 1; n <= 3; n += 1) expect(await accepted()).toBe(true);
    await waitFor('the books to have them', async () => (await board()).queue_depth === 3);
    await nats.loseStore();
    await waitFor('signals to be accepted again', accepted, SECONDS);
    await waitFor('the lanes', hasLanes, SECONDS);
    // Only signals that were accepted after the loss count.
    await waitFor('the books to have it', async () => (await board()).lanes[`${TYPE}_3`]?.waiting === 1);
    expect((await board()).queue_depth).toBe(1);
    const lost = await waitFor('a heartbeat that tells it', () => last()?.lost);
    expect(lost).toContainEqual({ name: 'KANBAN', life: expect.any(String) as string, entries: 3 });
    expect(lost.map(({ name }) => name)).toContain('KV_tps_types');
  });

  test('a deleted stream is created again by the first signal that finds it missing', async () => {
    await (await managerOf(bus)).streams.delete('KANBAN');
    const refused = await enqueue();
    expect(refused).toMatchObject({ ok: false, code: 'NO_BROKER', accepted: false });
    await waitFor('signals to be accepted again', accepted, { limitMs: 2_000 });
    await waitFor('the lanes', hasLanes);
  });

  test.each(['KANBAN', 'OUTCOMES', 'DEAD'])(
    'a deleted %s is made again without any signal',
    async (stream) => {
      const { streams } = await managerOf(bus);
      await streams.delete(stream);
      await waitFor('the stream', () => streams.info(stream).catch(() => null), SECONDS);
    },
  );

  test('a deleted lane is created again while signals wait on it', async () => {
    expect(await accepted()).toBe(true);
    await (await managerOf(bus)).consumers.delete('KANBAN', `${TYPE}_3`);
    await waitFor('the lane', hasLanes, SECONDS);
    await waitFor('the signal to wait on it', async () => {
      return (await board()).lanes[`${TYPE}_3`]?.waiting === 1;
    });
  });

  test('refused signals do not count as unfinished, and the process reports that it takes none', async () => {
    // The stream cannot be created, because its subjects are taken.
    const jsm = await managerOf(bus);
    await jsm.streams.delete('KANBAN');
    await jsm.streams.add({ name: 'OTHER', subjects: ['tps.kanban.*.*.other'] });
    await waitFor('it to be unready', () => last()?.ready === false, { limitMs: 5_000 });
    expect(last()?.vitals.refuses).toMatch(/KANBAN is missing/);
    for (let n = 1; n <= 12; n += 1) {
      expect(await enqueue()).toMatchObject({ ok: false, code: 'NO_BROKER', accepted: false });
    }
    await waitFor('a heartbeat that counts none of them', () => last()?.vitals.queue_depth === 0);
    await jsm.streams.delete('OTHER');
    await waitFor('it to be ready again', () => last()?.ready === true, SECONDS);
    expect(await accepted()).toBe(true);
  });

  test('a deadline of the lost queue does not expire a signal of the next one', async () => {
    expect(await enqueue(1_500)).toEqual({ ok: true });
    await nats.loseStore();
    await waitFor('signals to be accepted again', accepted, SECONDS);
    // The new signal has the same sequence, and must survive the tick that expires another one.
    expect(await enqueue(2_000)).toEqual({ ok: true });
    const waiting = async (): Promise<number | undefined> => (await board()).lanes[`${TYPE}_3`]?.waiting;
    await waitFor('both to wait', async () => (await waiting()) === 2);
    await waitFor('the other to expire', async () => (await waiting()) === 1, SECONDS);
  });

  test('workers are told which queue it is, and its lease', async () => {
    const reply = (): Promise<ReplyOf<'lanes'>> =>
      ask<ReplyOf<'lanes'>>(bus.names.subjects.lanes, { types: [TYPE] });
    const { created } = await (await managerOf(bus)).streams.info('KANBAN');
    expect(await reply()).toEqual({ ready: true, lease_ms: 8_000, created });
    await (await managerOf(bus)).streams.delete('KANBAN');
    const again = await reply();
    expect(again).toMatchObject({ ready: true });
    expect(again.created).not.toBe(created);
  });
});
