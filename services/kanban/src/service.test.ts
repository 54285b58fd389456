import { ask, askBoard, type Bus, connectBus, encodeHeaders, managerOf, openBucket } from '@tps/bus';
import {
  type ArrivalsMessage,
  type Heartbeat,
  type CircuitRecord,
  type EnqueueVerdict,
  type KanbanBoard,
  type Outcome,
  parseReply,
  type Priority,
  type ReplyOf,
  type Signal,
  SUSPECT_HEADER,
  type TypeRecord,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, waitFor } from '@tps/testkit';
import { kanban } from './service';

jest.setTimeout(30_000);

let nats: NatsServer;
let bus: Bus;
let service: ServiceHandle;
let ids = 0;

async function start(buffer: number): Promise<void> {
  const env = { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', INSTANCE_ID: 'kanban-1' };
  service = await startService(kanban, { ...env, TPS_KANBAN_BUFFER: `${buffer}` }, (error) =>
    console.error(error),
  );
}
async function restart(buffer: number): Promise<void> {
  await service.stop();
  await start(buffer);
}
const limit = { timeoutMs: 5_000 };
const board = (): Promise<KanbanBoard> => askBoard(bus, 'kanban', limit);
const find = (id: string): Promise<ReplyOf<'find'>> => ask(bus, 'find', { id }, limit);
const cancel = (id: string): Promise<ReplyOf<'cancel'>> => ask(bus, 'cancel', { id, by: 'a test' }, limit);

function signal(given: Partial<Signal> = {}): Signal {
  const fixed = {
    v: 1,
    id: `s-${(ids += 1)}`,
    run: 0,
    signal_type: 'demo',
    priority: 3 as Priority,
    payload: {},
  };
  return { ...fixed, timeout_ms: 600_000, created_at: new Date().toISOString(), ...given };
}
async function enqueue(...signals: Signal[]): Promise<EnqueueVerdict[]> {
  const reply = await bus.nc.request(bus.names.subjects.enqueue, JSON.stringify(signals), { timeout: 5_000 });
  const answer = parseReply('enqueue', reply);
  return answer === 1 ? signals.map(() => ({ ok: true })) : answer;
}
const accepted = (verdicts: EnqueueVerdict[]): number => verdicts.filter(({ ok }) => ok).length;

/** Removes everything from the queue, as workers do. */
async function drain(count = Infinity): Promise<void> {
  const jsm = await managerOf(bus);
  const stream = bus.names.streams.kanban;
  const { state } = await jsm.streams.info(stream);
  for (let seq = state.first_seq, left = count; seq <= state.last_seq && left > 0; seq += 1) {
    if (await jsm.streams.deleteMessage(stream, seq, false).catch(() => false)) left -= 1;
  }
}
async function outcomesOf(id: string): Promise<Outcome[]> {
  const jsm = await managerOf(bus);
  const stream = bus.names.streams.outcomes;
  const { state } = await jsm.streams.info(stream);
  const found: Outcome[] = [];
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq += 1) {
    found.push(...((await jsm.direct.getMessage(stream, { seq }))?.json<Outcome[]>() ?? []));
  }
  return found.filter(({ signal_id }) => signal_id === id);
}
function beat(instance: string, service: 'worker' | 'kanban' = 'worker'): void {
  const at = new Date().toISOString();
  const body: Heartbeat = { v: 1, service, instance, started_at: at, at, ready: true, vitals: {} };
  bus.nc.publish(bus.names.subjects.heartbeat(service), JSON.stringify(body));
}
/** A fake worker for cancelling: it sends heartbeats and answers which signals it has. */
function fakeWorker(state: ReplyOf<'workerInFlight'>['state']): () => void {
  const subscription = bus.nc.subscribe('tps.worker.*', {
    callback: (_, msg) => void msg.respond(JSON.stringify({ worker_id: 'fake', state })),
  });
  beat('fake');
  return () => subscription.unsubscribe();
}

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  await start(10);
  const types = await openBucket(bus, bus.names.buckets.types, 1);
  const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
  const record: TypeRecord = { v: 1, name: 'demo', timeout_ms: 30_000, retry, registered_at: '' };
  await types.put('demo', JSON.stringify(record));
  await waitFor('the lanes', async () => Object.keys((await board()).lanes).length === 4);
});
beforeEach(async () => {
  await drain();
  await waitFor('an empty board', async () => (await board()).queue_depth === 0);
});
afterAll(async () => {
  await service.stop();
  await bus.close();
  await nats.stop();
});

test('an accepted signal is in the stream with its headers, can be found, and waits on its lane', async () => {
  const one = signal({ priority: 2 });
  expect(await enqueue(one)).toEqual([{ ok: true }]);
  const message = await (
    await managerOf(bus)
  ).streams.getMessage(bus.names.streams.kanban, {
    last_by_subj: bus.names.subjects.work('demo', 2, one.id),
  });
  expect(message?.json()).toEqual(one);
  expect(message?.header.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  const { found } = await find(one.id);
  expect(found).toMatchObject({ signal: one, stream_seq: message?.seq, running: false });
  expect(await find('nobody')).toEqual({ found: null });
  await waitFor('the board', async () => (await board()).lanes.demo_2?.waiting === 1);
  expect(await board()).toMatchObject({ queue_depth: 1, buffer: 10, stranded: 0 });
});

test('a signal that is sent again is a duplicate and enters once; its next run enters', async () => {
  const one = signal();
  expect(await enqueue(one)).toEqual([{ ok: true }]);
  expect(await enqueue(one)).toEqual([{ ok: true, duplicate: true }]);
  expect(await enqueue({ ...one, run: 1 })).toEqual([{ ok: true }]);
  expect((await (await managerOf(bus)).streams.info(bus.names.streams.kanban)).state.messages).toBe(2);
});

test('a full queue refuses for certain, says when to retry, and accepts again when it has room', async () => {
  expect(accepted(await enqueue(...Array.from({ length: 10 }, () => signal())))).toBe(10);
  const [refused] = await enqueue(signal());
  expect(refused).toMatchObject({ ok: false, code: 'KANBAN_FULL', accepted: false, queue_depth: 10 });
  await drain(1);
  await waitFor('room', async () => accepted(await enqueue(signal())) === 1);
});

test('the limits hold exactly under a burst, in one batch and over many requests', async () => {
  const burst = (priority: Priority): Promise<EnqueueVerdict[][]> =>
    Promise.all(
      Array.from({ length: 10 }, () => enqueue(...Array.from({ length: 5 }, () => signal({ priority })))),
    );
  expect(accepted((await burst(4)).flat())).toBe(8);
  expect(accepted((await burst(3)).flat())).toBe(2);
  expect(accepted((await burst(1)).flat())).toBe(1);
  // Many requests see the two free places at once.
  await drain(3);
  let entered = 0;
  await waitFor('room', async () => (entered += accepted((await burst(3)).flat())));
  expect(entered + accepted((await burst(3)).flat())).toBe(2);
  expect((await (await managerOf(bus)).streams.info(bus.names.streams.kanban)).state.messages).toBe(10);
});

test('arrivals and waiting signals are announced by lane', async () => {
  const messages: ArrivalsMessage[] = [];
  const subscription = bus.nc.subscribe(bus.names.subjects.arrivals, {
    callback: (_, msg) => void messages.push(msg.json<ArrivalsMessage>()),
  });
  const three = [signal({ priority: 1 }), signal({ priority: 1 }), signal({ priority: 4 })];
  expect(accepted(await enqueue(...three))).toBe(3);
  // Arrivals of the tests before may be in the same announcement.
  const arrived = (lane: string): number =>
    messages.reduce((sum, { arrivals }) => sum + (arrivals[lane] ?? 0), 0);
  await waitFor('the announcement', () => arrived('demo_1') >= 2 && arrived('demo_4') >= 1);
  await waitFor('what waits', () =>
    messages.some(({ waiting }) => waiting.demo_1 === 2 && waiting.demo_4 === 1),
  );
  subscription.unsubscribe();
});

test('a waiting signal is cancelled once, with an outcome and an answer; the lane moves on', async () => {
  const inbox = 'test.reply';
  const answers: Outcome[] = [];
  bus.nc.subscribe(inbox, { callback: (_, msg) => void answers.push(...msg.json<Outcome[]>()) });
  const [one, other] = [signal({ reply_to: inbox }), signal()];
  await enqueue(one, other);
  expect(await cancel(one.id)).toMatchObject({
    cancelled: true,
    outcome: { status: 'cancelled', attempt: 0 },
  });
  expect(await cancel(one.id)).toEqual({ cancelled: false, reason: 'not_found' });
  await waitFor('the answer', () => answers.length === 1);
  expect(await outcomesOf(one.id)).toEqual(answers);
  expect(answers[0]).toMatchObject({ final: true, success: false, message: 'cancelled by a test' });
  const { found } = await find(other.id);
  expect(found?.signal.id).toBe(other.id);
  // Purging its subject would remove the rest of its lane too.
  await waitFor('the lane', async () => (await board()).lanes.demo_3?.waiting === 1);
});

test('a signal is cancelled unless a worker has started it', async () => {
  const one = signal();
  await enqueue(one);
  const gone = fakeWorker('started');
  await waitFor('a refusal', async () => {
    const reply = await cancel(one.id);
    return !reply.cancelled && reply.reason === 'started';
  });
  const { found } = await find(one.id);
  expect(found).toMatchObject({ running: true, worker_id: 'fake' });
  gone();
  const waiting = fakeWorker('waiting');
  expect(await cancel(one.id)).toMatchObject({ cancelled: true });
  waiting();
});

test('nothing is removed while a worker does not answer; the cancel succeeds once that worker is gone', async () => {
  const one = signal();
  await enqueue(one);
  beat('hung');
  await waitFor('the refusal', async () => {
    const reply = await cancel(one.id);
    return !reply.cancelled && reply.reason === 'unavailable';
  });
  expect((await find(one.id)).found?.signal.id).toBe(one.id);
  await waitFor('the cancel', async () => (await cancel(one.id)).cancelled, { everyMs: 200 });
});

test('a signal that no worker pulls expires as a dead letter; on a stopped line its deadline stands still', async () => {
  const circuits = await openBucket(bus, bus.names.buckets.circuits, 1);
  const since = new Date(Date.now() - 60_000).toISOString();
  const record: CircuitRecord = {
    v: 1,
    signal_type: 'stopped',
    state: 'open',
    epoch: 1,
    reason: 'test',
    since,
    pause_ms: 600_000,
    until: new Date(Date.now() + 600_000).toISOString(),
    log_seq: 1,
    stops: [[since]],
  };
  await circuits.put('stopped', JSON.stringify(record));
  const [late, held] = [signal({ timeout_ms: 100 }), signal({ timeout_ms: 100, signal_type: 'stopped' })];
  await enqueue(held, late);
  const [outcome] = await waitFor('the outcome', async () => {
    const found = await outcomesOf(late.id);
    return found.length > 0 ? found : undefined;
  });
  expect(outcome).toMatchObject({ status: 'expired', final: true, error_class: 'capacity', attempt: 0 });
  const dead = await (
    await managerOf(bus)
  ).direct.getMessage(bus.names.streams.dead, {
    last_by_subj: bus.names.subjects.dead('demo'),
  });
  expect(dead?.json()).toMatchObject({ signal: late, outcome: { signal_id: late.id } });
  expect((await find(late.id)).found).toBeNull();
  expect((await find(held.id)).found?.signal.id).toBe(held.id);
});

test('signals that another process accepted expire after that process is gone', async () => {
  beat('kanban-2', 'kanban');
  const late = signal({ timeout_ms: 100 });
  await bus.publisher.publish(bus.names.subjects.work('demo', 3, late.id), JSON.stringify(late));
  const expired = async (): Promise<boolean> => (await outcomesOf(late.id)).length === 1;
  await waitFor('its expiry', expired, { limitMs: 15_000 });
});

test('a signal that may have run expires only when the records answer, and delays no other', async () => {
  const [suspect, late] = [signal({ timeout_ms: 100 }), signal({ timeout_ms: 100 })];
  await bus.publisher.publish(bus.names.subjects.work('demo', 3, suspect.id), JSON.stringify(suspect), {
    headers: encodeHeaders([[SUSPECT_HEADER, '1']]),
  });
  await restart(10);
  await enqueue(late);
  await waitFor('the expiry', async () => (await outcomesOf(late.id)).length === 1, { limitMs: 15_000 });
  expect(await outcomesOf(suspect.id)).toEqual([]);
  expect((await find(suspect.id)).found).not.toBeNull();
});

test('a smaller buffer loses nothing and refuses until it is drained; a restarted process knows every deadline', async () => {
  const kept = Array.from({ length: 9 }, () => signal());
  const late = signal({ timeout_ms: 2_000 });
  expect(accepted(await enqueue(...kept, late))).toBe(10);
  await restart(4);
  for (const { id } of kept) expect((await find(id)).found).not.toBeNull();
  expect(accepted(await enqueue(signal({ priority: 1 })))).toBe(0);
  await waitFor(
    'the expiry of one that was accepted before',
    async () => (await outcomesOf(late.id)).length === 1,
  );
  await drain(6);
  await waitFor('the books', async () => (await board()).queue_depth === 3);
  expect(accepted(await enqueue(signal(), signal()))).toBe(1);
  await restart(20);
  expect(await board()).toMatchObject({ buffer: 20, queue_depth: 4 });
  expect(accepted(await enqueue(...Array.from({ length: 20 }, () => signal())))).toBe(16);
});
