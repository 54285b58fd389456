import { type Bus, connectBus, openBucket } from '@tps/bus';
import {
  type Heartbeat,
  cardsLease,
  type CircuitRecord,
  type KanbanBoard,
  type LeasesRecord,
  type ReplyOf,
  type RequestOf,
  SCHEDULE_KEY,
  type Signal,
  type TypeRecord,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, waitFor } from '@tps/testkit';
import { kanban } from './service';

jest.setTimeout(30_000);

let nats: NatsServer;
let bus: Bus;
let service: ServiceHandle;

async function ask<T>(subject: string, request: unknown): Promise<T> {
  return (await bus.nc.request(subject, JSON.stringify(request), { timeout: 5_000 })).json<T>();
}
const board = (): Promise<KanbanBoard> => ask(bus.names.subjects.board('kanban'), null);
async function put(bucket: 'types' | 'circuits' | 'leases' | 'schedule', key: string, value: object) {
  await (await openBucket(bus, bus.names.buckets[bucket], 1)).put(key, JSON.stringify(value));
}
function beat(instance: string, in_hand: Record<string, number>): void {
  const at = new Date().toISOString();
  const vitals = { slots: 4, busy: 1, types: ['demo'], started: 1, in_hand };
  const body: Heartbeat = { v: 1, service: 'worker', instance, started_at: at, at, ready: true, vitals };
  bus.nc.publish(bus.names.subjects.heartbeat('worker'), JSON.stringify(body));
}

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  const env = { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error' };
  service = await startService(kanban, env, (error) => console.error(error));
  const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
  const record: TypeRecord = { v: 1, name: 'demo', timeout_ms: 30_000, retry, registered_at: '' };
  await put('types', 'demo', record);
  await waitFor('the lanes', async () => Object.keys((await board()).lanes).length === 4);
});
afterAll(async () => {
  await service.stop();
  await bus.close();
  await nats.stop();
});

test('a lane shows its waiting and paused signals, their oldest age and its cards; a type shows its workers', async () => {
  const fixed = { v: 1, run: 0, signal_type: 'demo', priority: 2 as const, payload: {}, timeout_ms: 600_000 };
  const signals = ['a', 'b'].map((id): Signal => ({ ...fixed, id, created_at: new Date().toISOString() }));
  expect(await ask(bus.names.subjects.enqueue, signals)).toBe(1);
  const now = await waitFor('the board', async () => {
    beat('w1', { demo: 1 });
    beat('w2', {});
    const shown = await board();
    return shown.lanes.demo_2?.waiting === 2 && shown.types.demo?.limit === 8 ? shown : null;
  });
  const { oldest_age_ms, ...lane } = now.lanes.demo_2!;
  expect(lane).toEqual({ type: 'demo', priority: 2, waiting: 2, in_progress: 0, cards: 8, held: 0 });
  expect(oldest_age_ms).toBeGreaterThanOrEqual(0);
  expect(oldest_age_ms).toBeLessThan(10_000);
  expect(now.lanes.demo_1).toMatchObject({ waiting: 0, oldest_age_ms: null });
  expect(now.types.demo).toEqual({
    ...{ cards: 'default', limit: 8, advice: null, waiting: 2, in_progress: 0 },
    counts: { queued: 2, held: 0, retrying: 0, in_flight: 0, running: 0 },
    holders: { w1: { in_hand: 1 } },
  });
  const since = new Date().toISOString();
  const until = new Date(Date.now() + 600_000).toISOString();
  const stopped = {
    v: 1,
    signal_type: 'demo',
    state: 'open' as const,
    epoch: 1,
    reason: 'test',
    since,
    until,
  };
  const record: CircuitRecord = { ...stopped, pause_ms: 600_000, log_seq: 1, stops: [[since]] };
  await put('circuits', 'demo', record);
  await waitFor('the stop', async () => (await board()).lanes.demo_2?.held === 2);
  // One signal waits for its retry in a minute, so no worker has it, and it is paused like the other.
  const next = `$JS.API.CONSUMER.MSG.NEXT.${bus.names.streams.kanban}.demo_2`;
  const taken = await bus.nc.request(next, '{"batch":1}', { timeout: 5_000, noMux: true });
  beat('w1', { demo: 1 });
  await waitFor('the worker to claim it', async () => (await board()).lanes.demo_2?.held === 1);
  taken.respond('-NAK {"delay":60000000000}');
  beat('w1', {});
  await waitFor('both to be held', async () => (await board()).lanes.demo_2?.held === 2);
  expect((await board()).types.demo?.counts).toMatchObject({ queued: 0, held: 2, retrying: 0, in_flight: 0 });
});

test('cards can be set, follow the advice and be removed; the workers that lease them are shown', async () => {
  const set = async (cards: RequestOf<'cards'>['cards']): Promise<ReplyOf<'cards'>> => {
    beat('w1', { demo: 1 });
    beat('w2', {});
    await bus.nc.flush();
    return ask(bus.names.subjects.cards, { signal_type: 'demo', cards });
  };
  expect(await set(3)).toEqual({ signal_type: 'demo', cards: 3, limit: 3, advice: null });
  const leases: LeasesRecord = { v: 1, holders: { w1: { held: 2, address: 'x' } } };
  await put('leases', cardsLease('demo'), leases);
  await waitFor('the holder', async () => (await board()).types.demo?.holders.w1?.cards === 2);
  expect(await set('auto')).toEqual({ signal_type: 'demo', cards: 'auto', limit: 8, advice: null });
  await put('schedule', SCHEDULE_KEY, { v: 1, classes: {}, demand: {}, cards: { demo: 2 }, updated_at: '' });
  await waitFor('the advice', async () => (await board()).types.demo?.advice === 2);
  expect((await board()).lanes.demo_1?.cards).toBe(2);
  expect(await set(null)).toEqual({ signal_type: 'demo', cards: 'default', limit: 8, advice: 2 });
});
