import { type Bus, connectBus, managerOf, openBucket, openObjectStore } from '@tps/bus';
import type { KaizenBoard, Outcome, ReplyOf, RequestOf } from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, sampleOutcome, sampleRetirement, sampleType, waitFor } from '@tps/testkit';
import { kaizen } from './service';

let nats: NatsServer;
let bus: Bus;
let service: ServiceHandle | undefined;

const start = (instance: string): Promise<ServiceHandle> =>
  startService(
    kaizen,
    { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', INSTANCE_ID: instance },
    (error) => console.error(error),
  );

const publish = (outcomes: Partial<Outcome>[]): Promise<unknown> =>
  bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify(outcomes.map(sampleOutcome)));

async function ask<T>(subject: string, request?: object): Promise<T> {
  const reply = await bus.nc.request(subject, request ? JSON.stringify(request) : '', { timeout: 5_000 });
  return reply.json<T>();
}

/** The board once it counts the whole log, because on a busy machine that may take longer than kaizen lets a reader wait. */
async function board(): Promise<KaizenBoard> {
  const { streams } = await managerOf(bus);
  const { last_seq } = (await streams.info(bus.names.streams.outcomes)).state;
  return waitFor('a board that counts the whole log', async () => {
    const now = await ask<KaizenBoard>(bus.names.subjects.board('kaizen'));
    return now.position >= last_seq ? now : null;
  });
}
const report = (request: RequestOf<'report'>): Promise<ReplyOf<'report'>> =>
  ask(bus.names.subjects.report, request);

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
});
afterAll(async () => {
  await service?.stop();
  await bus.close();
  await nats.stop();
});

test('an outcome is on the board as soon as it is recorded, and a second one of its run is superseded', async () => {
  service = await start('one');
  await publish([{ signal_id: 'a' }, { signal_id: 'b', status: 'failed' }]);
  expect(await board()).toMatchObject({ total_processed: 2, error_count: 1, error_rate: 50, position: 1 });
  await publish([
    { signal_id: 'a', status: 'failed' },
    { signal_id: 'b', run: 1 },
  ]);
  expect(await board()).toMatchObject({ total_processed: 3, error_count: 1, superseded: 1 });
});

test('unreadable outcomes are skipped', async () => {
  const subject = bus.names.subjects.outcomeBatch;
  await bus.publisher.publish(subject, 'not json');
  await bus.publisher.publish(subject, '{"signal_id":"a"}');
  await bus.publisher.publish(subject, JSON.stringify([null, { v: 1 }, sampleOutcome()]));
  expect(await board()).toMatchObject({ total_processed: 4 });
});

test('figures are the same after a restart and in a second replica', async () => {
  await bus.publisher.publish(
    bus.names.subjects.outcomeAttempt('c'),
    JSON.stringify([sampleOutcome({ signal_id: 'c', status: 'retrying' })]),
  );
  await publish(Array.from({ length: 100 }, (_, i) => ({ process_ms: i, signal_type: `type-${i % 3}` })));
  const before = await board();
  expect(before).toMatchObject({ total_processed: 104, retried: 1 });
  await service?.stop();
  service = await start('two');
  expect(await board()).toEqual(before);
  const replica = await start('three');
  // The broker chooses which replica answers.
  for (let i = 0; i < 6; i += 1) expect(await board()).toEqual(before);
  await replica.stop();
});

test('suggestions are the same in a second replica', async () => {
  const suggestions = (): Promise<ReplyOf<'suggestions'>> => ask(bus.names.subjects.suggestions);
  await publish(Array.from({ length: 30 }, (_, i) => ({ signal_type: 'slow', wait_ms: 900 + i })));
  await board();
  const { items } = await suggestions();
  expect(items).toMatchObject([{ signal_type: 'slow', rule: 'waiting', signals: 30 }]);
  const replica = await start('four');
  for (let i = 0; i < 6; i += 1) expect((await suggestions()).items).toEqual(items);
  await replica.stop();
});

test('nothing is suggested for a retired type, and its signals stay counted', async () => {
  const before = await board();
  const types = await openBucket(bus, bus.names.buckets.types, 1);
  await types.put('slow', JSON.stringify(sampleType('slow', { retired: sampleRetirement() })));
  const items = async (): Promise<unknown[]> =>
    (await ask<ReplyOf<'suggestions'>>(bus.names.subjects.suggestions)).items;
  await waitFor('no suggestion', async () => (await items()).length === 0);
  expect((await board()).types).toEqual(before.types);
});

test('reports cover everything or a stretch of time, in each format', async () => {
  await board();
  const all = await report({ format: 'json' });
  expect(all.content).toMatchObject({ total: { produced: 133, failed: 1 } });
  expect((await report({ format: 'json', since_ms: 60_000 })).content).toMatchObject({
    total: { produced: 133 },
  });
  expect((await report({ format: 'csv' })).content).toMatch(/^signal_type,/);
  expect((await report({ format: 'markdown' })).content).toMatch(/^# Production report/);
  const wrong = { format: 'pdf' } as unknown as RequestOf<'report'>;
  expect(await report(wrong)).toEqual({
    error: 'MessageError: request report: /format is a string: expected one of json, markdown, csv',
  });
});

test('a second outcome of a run is superseded right after a restart', async () => {
  await publish([{ signal_id: 'twice', status: 'failed' }]);
  const before = await board();
  await service?.stop();
  service = await start('five');
  await publish([{ signal_id: 'twice' }]);
  expect(await board()).toEqual({
    ...before,
    superseded: before.superseded + 1,
    position: before.position + 1,
  });
});

test('totals, since and suggestions stay when the log is cut and kaizen restarts', async () => {
  const before = await board();
  await service?.stop();
  await (await managerOf(bus)).streams.purge(bus.names.streams.outcomes);
  service = await start('six');
  expect(await board()).toEqual(before);
  // This replica counts what the snapshot does not have yet, and starts from the same one.
  await publish([{ signal_id: 'behind the snapshot' }]);
  const after = await board();
  expect(after.total_processed).toBe(before.total_processed + 1);
  const replica = await start('seven');
  for (let i = 0; i < 6; i += 1) expect(await board()).toEqual(after);
  await replica.stop();
});

test('totals outlive a log that the broker lost', async () => {
  const before = await board();
  await nats.loseStore();
  await waitFor('a stream that takes outcomes', () => publish([{ signal_id: 'after' }]).catch(() => null));
  await waitFor('the new log to be counted', async () => (await board()).position === 1);
  const after = await board();
  expect(after).toEqual({
    ...after,
    total_processed: before.total_processed + 1,
    superseded: before.superseded,
    since: before.since,
  });
  await service?.stop();
  service = await start('eight');
  expect(await board()).toEqual(after);
});

test('the whole log is counted when the snapshot cannot be read', async () => {
  await service?.stop();
  const store = await openObjectStore(bus, bus.names.stores.kaizen, { replicas: 1, timeout: 3_000 });
  await store.putBlob({ name: 'snapshot' }, Buffer.from('damaged'));
  service = await start('nine');
  expect(await board()).toMatchObject({ total_processed: 1, position: 1 });
});
