import { setTimeout as sleep } from 'node:timers/promises';
import { nanos } from '@nats-io/transport-node';
import { encodeHeaders, ensureLanes, managerOf } from '@tps/bus';
import { laneName, LEASE_MS, type Outcome, SUSPECT_HEADER } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import type { SignalDefinition } from '../definition';
import { DefectError, TransientError } from '../failure';
import { WorkerHarness, signal } from './worker-harness.fixture';

jest.setTimeout(60_000);

let harness: WorkerHarness;
let stopRecords: () => void = () => undefined;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  stopRecords = harness.serveRecords();
});
afterAll(() => harness.close());

const finished = (id: string): Promise<Outcome> => harness.finished(id);
const drained = (type: string): Promise<unknown> => harness.drained(type);
/** Gives the lane of a test a short lease. */
async function lease(type: string, ms: number): Promise<void> {
  await ensureLanes(harness.bus, type);
  const jsm = await managerOf(harness.bus);
  await jsm.consumers.update(harness.bus.names.streams.kanban, laneName(type, 3), { ack_wait: nanos(ms) });
}
async function updateStream(stream: 'outcomes' | 'dead', change: object): Promise<void> {
  const jsm = await managerOf(harness.bus);
  await jsm.streams.update(harness.bus.names.streams[stream], change);
}

test('while the records do not answer, suspects are released with a delay, at no attempt cost', async () => {
  stopRecords();
  let runs = 0;
  await harness.worker('suspicious', [signal('suspect', () => (runs += 1), { retry: { max_attempts: 1 } })]);
  const id = 'may-have-run';
  const body = { v: 1, id, run: 0, signal_type: 'suspect', priority: 3, payload: {}, timeout_ms: 60_000 };
  await harness.bus.publisher.publish(
    harness.bus.names.subjects.work('suspect', 3, id),
    JSON.stringify({ ...body, created_at: new Date().toISOString() }),
    { headers: encodeHeaders([[SUSPECT_HEADER, '1']]) },
  );
  // More deliveries than the signal has attempts.
  await waitFor('two releases', () => harness.statusesOf(id).length >= 2, { limitMs: 30_000 });
  expect(harness.statusesOf(id).every((statusesOf) => JSON.stringify(statusesOf) === '["returned",0]')).toBe(
    true,
  );
  expect(runs).toBe(0);
  stopRecords = harness.serveRecords();
  expect(await finished(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(runs).toBe(1);
});

test('many suspects share requests to the records', async () => {
  stopRecords();
  let questions = 0;
  let asked = 0;
  const records = harness.bus.nc.subscribe(harness.bus.names.subjects.lookup, {
    callback: (_, msg) => {
      questions += 1;
      asked += msg.json<{ ids: string[] }>().ids.length;
      setTimeout(() => msg.respond('{"records":[]}'), 20);
    },
  });
  const suspects = Array.from({ length: 40 }, (_, n) => `one-of-many-${n}`);
  const headers = encodeHeaders([[SUSPECT_HEADER, '1']]);
  for (const id of suspects) {
    const body = { v: 1, id, run: 0, signal_type: 'many', priority: 3, payload: {}, timeout_ms: 60_000 };
    const data = JSON.stringify({ ...body, created_at: new Date().toISOString() });
    await harness.bus.publisher.publish(harness.bus.names.subjects.work('many', 3, id), data, { headers });
  }
  await harness.worker('asking', [signal('many', () => 1)], { TPS_NUM_WORKERS: '8' });
  await waitFor('all of them', () => harness.of('many').filter(({ final }) => final).length === 40);
  expect(asked).toBe(40);
  expect(questions).toBeLessThan(20);
  records.unsubscribe();
  stopRecords = harness.serveRecords();
});

test('an outcome that cannot be recorded is kept, and its work is not done again', async () => {
  let runs = 0;
  await harness.worker('kept', [signal('kept', () => (runs += 1))]);
  const { subjects } = (await (await managerOf(harness.bus)).streams.info(harness.bus.names.streams.outcomes))
    .config;
  await updateStream('outcomes', { subjects: ['nobody.says.this'] });
  let appends = 0;
  const tried = harness.bus.nc.subscribe(harness.bus.names.subjects.outcomeBatch, {
    callback: () => void (appends += 1),
  });
  const id = await harness.enqueue('kept');
  await waitFor('another append of the outcome', () => appends > 1);
  tried.unsubscribe();
  expect([await harness.queued('kept'), harness.statusesOf(id)]).toEqual([1, []]);
  await updateStream('outcomes', { subjects });
  expect(await finished(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  await drained('kept');
  expect(runs).toBe(1);
});

test('a signal that is delivered again while it is in flight runs once', async () => {
  const ran: string[] = [];
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  let slow = false;
  const run: SignalDefinition['run'] = async (_, { signal: { id } }) => {
    ran.push(id);
    if (slow) await gate;
  };
  await harness.worker('again', [signal('again', run)], { TPS_NUM_WORKERS: '4' });
  await lease('again', 300);
  // A worker requests more quick work while signals are in flight.
  for (let n = 0; n < 5; n += 1) await finished(await harness.enqueue('again'));
  slow = true;
  const id = await harness.enqueue('again');
  const jsm = await managerOf(harness.bus);
  const deliveries = async (): Promise<number> =>
    (await jsm.consumers.info(harness.bus.names.streams.kanban, laneName('again', 3))).delivered.consumer_seq;
  await waitFor('it to be delivered again', async () => (await deliveries()) >= 7);
  letGo();
  expect(await finished(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  await drained('again');
  expect(ran.filter((one) => one === id)).toEqual([id]);
});

test('a signal stored before the broker was lost is looked up before it runs', async () => {
  const ran: string[] = [];
  const { nats } = harness;
  await harness.worker('known', [signal('known', (_, { signal: { id } }) => void ran.push(id))]);
  const first = await harness.enqueue('known');
  await finished(first);
  await nats.kill();
  await nats.restart();
  // The same message as a first delivery, as after a broker forgot the acknowledgement.
  await waitFor('the broker', () => harness.bus.connected);
  const body = {
    v: 1,
    id: first,
    run: 0,
    signal_type: 'known',
    priority: 3,
    payload: {},
    timeout_ms: 60_000,
  };
  const text = JSON.stringify({ ...body, created_at: new Date().toISOString() });
  await harness.bus.publisher.publish(harness.bus.names.subjects.work('known', 3, first), text, {});
  await drained('known');
  const second = await harness.enqueue('known');
  await finished(second);
  expect(ran).toEqual([first, second]);
});

test('a worker that stood still for longer than a lease looks up its waiting signals before it runs them', async () => {
  stopRecords();
  const asked: string[] = [];
  const records = harness.bus.nc.subscribe(harness.bus.names.subjects.lookup, {
    callback: (_, msg) => {
      asked.push(...msg.json<{ ids: string[] }>().ids);
      msg.respond('{"records":[]}');
    },
  });
  let standstill = false;
  const run = async (): Promise<void> => {
    if (!standstill) return;
    standstill = false;
    await waitFor('the next to be delivered', async () => {
      const { consumers } = await managerOf(harness.bus);
      const lane = await consumers.info(harness.bus.names.streams.kanban, laneName('hung', 3));
      return lane.num_ack_pending === 2;
    });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LEASE_MS.default + 500);
  };
  await harness.worker('hung', [signal('hung', run)], { TPS_NUM_WORKERS: '1' });
  // A worker fetches one signal of quick work ahead.
  for (let n = 0; n < 5; n += 1) await finished(await harness.enqueue('hung'));
  expect(asked).toEqual([]);
  standstill = true;
  const [first, second] = [await harness.enqueue('hung'), await harness.enqueue('hung')];
  expect([await finished(first), await finished(second)]).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
  expect(asked).toEqual([second]);
  records.unsubscribe();
  stopRecords = harness.serveRecords();
});

test('while DEAD is full, failed signals stay in the queue, also over a restart, and do not run again', async () => {
  let runs = 0;
  const doomed = signal('doomed', () => {
    runs += 1;
    throw new DefectError('broken for good');
  });
  const first = await harness.worker('first', [doomed, signal('lucky', () => 1)]);
  await updateStream('dead', { max_bytes: 1 });
  const late = { created_at: new Date(Date.now() - 5_000).toISOString(), timeout_ms: 1_000 };
  const [id, expired] = [await harness.enqueue('doomed'), await harness.enqueue('doomed', late)];
  await waitFor(
    'the refusal',
    () => harness.statusesOf(id).length > 0 && harness.statusesOf(expired).length > 0,
  );
  expect([harness.statusesOf(id)[0], harness.statusesOf(expired)[0]]).toEqual([
    ['retrying', 1],
    ['returned', 0],
  ]);
  // Other types go on meanwhile.
  expect(await finished(await harness.enqueue('lucky'))).toMatchObject({ status: 'succeeded' });
  await harness.stop(first);
  await harness.worker('second', [doomed]);
  await updateStream('dead', { max_bytes: 1024 ** 3 });
  expect(await finished(id)).toMatchObject({
    status: 'failed',
    error_class: 'defect',
    message: 'broken for good',
    attempt: 1,
  });
  expect(await finished(expired)).toMatchObject({ status: 'expired' });
  await drained('doomed');
  expect(runs).toBe(1);
  expect((await harness.lastDead('doomed'))?.outcome).toBeDefined();
});

test('a signal that kills its worker every time becomes a dead letter after as many attempts as any other', async () => {
  await lease('poison', 1_000);
  const id = await harness.enqueue('poison');
  const next = `$JS.API.CONSUMER.MSG.NEXT.${harness.bus.names.streams.kanban}.${laneName('poison', 3)}`;
  for (let death = 1; death <= 3; death += 1) {
    // This worker takes the signal and is never heard of again.
    const taken = await harness.bus.nc.request(next, '{"batch":1}', { timeout: 5_000, noMux: true });
    expect(taken.subject).toContain(id);
  }
  let runs = 0;
  await harness.worker('survivor', [signal('poison', () => (runs += 1))]);
  expect(await finished(id)).toMatchObject({ status: 'failed', error_class: 'defect', attempt: 3 });
  expect(runs).toBe(0);
  expect(await harness.lastDead('poison')).toMatchObject({ signal: { id } });
});

test('work that takes longer than the lease is not given to another worker, up to its time-out', async () => {
  await lease('long', 3_000);
  const aborted: boolean[] = [];
  const long = signal(
    'long',
    async (_, { abort }) => {
      await sleep(20_000, undefined, { signal: abort }).catch(() => undefined);
      aborted.push(abort.aborted);
      throw new TransientError('gave up');
    },
    { timeoutMs: 4_500, retry: { max_attempts: 1 } },
  );
  await harness.worker('patient', [long]);
  await harness.worker('greedy', [long]);
  const id = await harness.enqueue('long');
  expect(await finished(id)).toMatchObject({ status: 'failed', error_class: 'transient', attempt: 1 });
  expect(aborted).toEqual([true]);
  expect(harness.statusesOf(id)).toEqual([['failed', 1]]);
});

test('each type has its own number of attempts', async () => {
  const failing = (): never => {
    throw new TransientError('down');
  };
  const retry = (max_attempts: number): Partial<SignalDefinition> => ({
    retry: { max_attempts, base_ms: 1, cap_ms: 1 },
  });
  await harness.worker('policies', [signal('once', failing, retry(1)), signal('often', failing, retry(5))]);
  const [once, often] = [await harness.enqueue('once'), await harness.enqueue('often')];
  expect(await finished(once)).toMatchObject({ status: 'failed', attempt: 1 });
  expect(await finished(often)).toMatchObject({ status: 'failed', attempt: 5 });
  expect(harness.statusesOf(often)).toHaveLength(5);
});
