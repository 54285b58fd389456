import { type Bus, connectBus, ensureStream, managerOf, RecordsClient } from '@tps/bus';
import type { Outcome, RequestOf, Signal } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { NatsServer, sampleOutcome } from '@tps/testkit';
import { Registry } from 'prom-client';
import { DeadlineIndex } from './deadline-index';
import { UnreadableMessages } from './unreadable-messages';
import { InFlightSignals } from './in-flight-signals';
import { QueueRemoval } from './queue-removal';

jest.setTimeout(30_000);

let nats: NatsServer;
let bus: Bus;
let removal: QueueRemoval;
/** Workers whose heartbeats were seen. */
let workers: string[] = [];
/** Sequences that were delivered. */
const delivered = new Set<number>();

async function accept(id: string, given: Partial<Signal> = {}): Promise<number> {
  const fixed = { v: 1, id, run: 0, signal_type: 'demo', priority: 3, payload: {}, timeout_ms: 60_000 };
  const signal = { ...fixed, created_at: new Date().toISOString(), ...given };
  return (await bus.publisher.publish(bus.names.subjects.work('demo', 3, id), JSON.stringify(signal))).seq;
}
async function outcomesOf(id: string): Promise<string[]> {
  const jsm = await managerOf(bus);
  const stream = bus.names.streams.outcomes;
  const { state } = await jsm.streams.info(stream);
  const found: Outcome[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
    found.push(...((await jsm.streams.getMessage(stream, { seq }))?.json<Outcome[]>() ?? []));
  }
  return found.filter(({ signal_id }) => signal_id === id).map(({ status }) => status);
}
async function waits(seq: number): Promise<boolean> {
  const jsm = await managerOf(bus);
  return (await jsm.streams.getMessage(bus.names.streams.kanban, { seq })) !== null;
}

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureStream(bus, 'kanban', { replicas: 1, kanbanMaxMessages: 10_000 });
  for (const name of ['outcomes', 'dead'] as const) await ensureStream(bus, name, { replicas: 1 });
  const log = { warn: () => undefined, error: () => undefined };
  const context = { bus, log, instance: 'kanban-1', registry: new Registry() } as unknown as ServiceContext;
  const fleet = { of: () => workers.map((instance) => ({ instance })) } as unknown as FleetView;
  removal = new QueueRemoval(context, {
    inFlight: new InFlightSignals(context, fleet),
    unreadable: new UnreadableMessages(context),
    queue: { wasDelivered: (_, seq) => delivered.has(seq) },
    records: new RecordsClient(bus),
  });
});
afterEach(() => {
  workers = [];
  jest.restoreAllMocks();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

test('a failed delete is retried; a delete whose answer is lost counts as done', async () => {
  const { streams } = await managerOf(bus);
  const real = streams.deleteMessage.bind(streams);
  const failed = await accept('failed-delete');
  jest.spyOn(streams, 'deleteMessage').mockRejectedValueOnce(new Error('no answer'));
  expect(await removal.cancel('failed-delete')).toMatchObject({ cancelled: true });
  const lost = await accept('lost-answer');
  jest.spyOn(streams, 'deleteMessage').mockImplementationOnce(async (...args) => {
    await real(...args);
    throw new Error('no answer');
  });
  expect(await removal.cancel('lost-answer')).toMatchObject({ cancelled: true });
  for (const id of ['failed-delete', 'lost-answer']) expect(await outcomesOf(id)).toEqual(['cancelled']);
  expect([await waits(failed), await waits(lost)]).toEqual([false, false]);
});

test('the outcome of a signal that is removed after a failed attempt says so', async () => {
  const failed = { status: 'retrying', final: false, success: false, attempt: 2 } as const;
  for (const id of ['tried', 'tried-and-late']) {
    const outcome = sampleOutcome({ signal_id: id, ...failed, error_class: 'transient', message: 'no line' });
    await bus.publisher.publish(bus.names.subjects.outcomeAttempt(id), JSON.stringify([outcome]));
  }
  await accept('tried');
  expect(await removal.cancel('tried')).toMatchObject({ outcome: { status: 'cancelled', attempt: 2 } });
  expect(await removal.expire(await accept('tried-and-late'))).toBe(true);
  const jsm = await managerOf(bus);
  const last_by_subj = bus.names.subjects.dead('demo');
  const dead = await jsm.streams.getMessage(bus.names.streams.dead, { last_by_subj });
  expect(dead?.json()).toMatchObject({
    outcome: {
      status: 'expired',
      attempt: 2,
      message: 'not started again within its timeout_ms after 2 attempts: no line',
    },
  });
});

test.each([
  ['none', 'failed', 1, 'transient'],
  ['waiting', 'expired', 0, 'capacity'],
])(
  'a delivered signal without a record whose state at the workers is %s ends %s',
  async (state, status, attempt, error_class) => {
    const seq = await accept(`delivered-${state}`);
    delivered.add(seq);
    workers = ['one'];
    const answer = { worker_id: 'one', state };
    const { workerInFlight, workerBlock } = bus.names.subjects;
    const answers = [workerInFlight, workerBlock].map((subject) =>
      bus.nc.subscribe(subject, { callback: (_, msg) => void msg.respond(JSON.stringify(answer)) }),
    );
    expect(await removal.expire(seq)).toBe(true);
    for (const one of answers) one.unsubscribe();
    const jsm = await managerOf(bus);
    const last_by_subj = bus.names.subjects.dead('demo');
    const dead = await jsm.streams.getMessage(bus.names.streams.dead, { last_by_subj });
    expect(dead?.json()).toMatchObject({ outcome: { status, attempt, error_class } });
  },
);

test('after a crash, signals with a final outcome are removed and the others stay', async () => {
  const [finished, open] = [await accept('was-cancelled'), await accept('still-open')];
  const records = bus.nc.subscribe(bus.names.subjects.lookup, {
    callback: (_, msg) => {
      const { ids } = msg.json<RequestOf<'lookup'>>();
      const outcome = sampleOutcome({ signal_id: 'was-cancelled', status: 'cancelled' });
      const known = ids.map((id) => ({ id, outcomes: id === 'was-cancelled' ? [outcome] : [] }));
      msg.respond(JSON.stringify({ records: known }));
    },
  });
  const queued = await new DeadlineIndex(bus, () => 0).load();
  await removal.removeFinished(queued);
  records.unsubscribe();
  expect([await waits(finished), await waits(open)]).toEqual([false, true]);
});

test('a worker whose heartbeat arrives while the others are asked must have answered too', async () => {
  const seq = await accept('joined');
  workers = ['first'];
  const first = bus.nc.subscribe(bus.names.subjects.workerBlock, {
    callback: (_, msg) => {
      workers = ['first', 'joined'];
      msg.respond(JSON.stringify({ worker_id: 'first', state: 'none' }));
    },
  });
  expect(await removal.cancel('joined')).toEqual({ cancelled: false, reason: 'unavailable' });
  first.unsubscribe();
  expect([await waits(seq), await outcomesOf('joined')]).toEqual([true, []]);
});

test('a message that is no signal is overdue at once, and becomes a dead letter', async () => {
  const { seq } = await bus.publisher.publish(bus.names.subjects.work('demo', 3, 'odd'), 'null');
  const deadlines = new DeadlineIndex(bus, () => 0);
  await deadlines.load();
  expect(deadlines.overdue(Date.now() + 1)).toEqual([seq]);
  expect(await removal.expire(seq)).toBe(true);
  const jsm = await managerOf(bus);
  const last_by_subj = bus.names.subjects.dead('demo');
  const dead = await jsm.streams.getMessage(bus.names.streams.dead, { last_by_subj });
  expect(dead?.json()).toMatchObject({ invalid: true, data: Buffer.from('null').toString('base64') });
  expect(await waits(seq)).toBe(false);
});

test('reading the deadlines again drops finished signals and keeps those accepted in between', async () => {
  const deadlines = new DeadlineIndex(bus, () => 0);
  const jsm = await managerOf(bus);
  const signal = { signal_type: 'demo', created_at: new Date().toISOString(), timeout_ms: 1 } as Signal;
  await accept('long');
  const before = (await deadlines.load()).length;
  for (let n = 0; n < 5; n += 1) {
    const seq = await accept(`gone-${n}`);
    deadlines.add(signal, seq, Date.now());
    await jsm.streams.deleteMessage(bus.names.streams.kanban, seq, false);
  }
  const { state } = await jsm.streams.info(bus.names.streams.kanban);
  deadlines.add(signal, state.last_seq + 1, Date.now());
  expect(deadlines.size).toBe(before + 6);
  await deadlines.load();
  expect(deadlines.size).toBe(before + 1);
});

test('while the stream of outcomes does not answer nothing is cancelled or expired, as its attempts are unknown', async () => {
  const seq = await accept('unknown-attempts');
  const { streams } = await managerOf(bus);
  await streams.delete(bus.names.streams.outcomes);
  await expect(removal.cancel('unknown-attempts')).rejects.toThrow('the stream of outcomes does not answer');
  await expect(removal.expire(seq)).rejects.toThrow('the stream of outcomes does not answer');
  await ensureStream(bus, 'outcomes', { replicas: 1 });
  expect(await waits(seq)).toBe(true);
  expect(await removal.cancel('unknown-attempts')).toMatchObject({ cancelled: true });
});
