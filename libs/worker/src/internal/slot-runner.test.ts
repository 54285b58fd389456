import { Type } from '@sinclair/typebox';
import { createInbox, nanos } from '@nats-io/transport-node';
import { encodeHeaders, ensureLanes, managerOf, openBucket } from '@tps/bus';
import { laneName, type Outcome, type ReplyOf, type TypeRecord } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import type { SignalDefinition } from '../definition';
import { CapacityError, RejectedError } from '../failure';
import { WorkerHarness, signal } from './worker-harness.fixture';

jest.setTimeout(30_000);

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  harness.serveRecords();
});
afterAll(() => harness.close());

const gates = new Map<string, () => void>();
/** Opens the gate of this name. */
const open = (name: string): void => gates.get(name)?.();

/** A handler that runs until its gate is opened. */
function gated(name: string): SignalDefinition['run'] {
  const gate = new Promise<void>((resolve) => gates.set(name, resolve));
  return async (input) => {
    if ((input as { wait?: boolean }).wait) await gate;
    return 'done';
  };
}
const finished = (id: string): Promise<unknown> => harness.finished(id);
async function held(id: string): Promise<string> {
  const { workerInFlight } = harness.bus.names.subjects;
  const options = { strategy: 'timer' as const, maxWait: 100 };
  const states: string[] = [];
  for await (const reply of await harness.bus.nc.requestMany(
    workerInFlight,
    JSON.stringify({ id }),
    options,
  )) {
    states.push(reply.json<ReplyOf<'workerInFlight'>>().state);
  }
  return states.find((state) => state !== 'none') ?? 'none';
}
const drained = (type: string): Promise<unknown> => harness.drained(type);

test('a signal is run, recorded, taken out of the queue and answered', async () => {
  await harness.worker('plain', [signal('plain', (input) => ({ got: input }), { success: 'Plain done' })]);
  const inbox = createInbox();
  const answers: Outcome[] = [];
  harness.bus.nc.subscribe(inbox, { callback: (_, msg) => void answers.push(...msg.json<Outcome[]>()) });
  const id = await harness.enqueue('plain', { payload: { n: 1 }, reply_to: inbox });
  const answer = await waitFor('the answer', () => answers[0]);
  // The log has the outcome before the caller does.
  await waitFor('the log', () => harness.statusesOf(id).length === 1);
  expect(harness.of('plain')).toEqual([answer]);
  expect(answer).toMatchObject({
    signal_id: id,
    status: 'succeeded',
    attempt: 1,
    delivery: 1,
    worker_id: 'plain',
  });
  expect(answer).toMatchObject({
    result: { got: { n: 1 } },
    message: 'Plain done',
    level: { lane: 'plain_3' },
  });
  await drained('plain');
});

test('the fleet knows the type, its limits and its retries', async () => {
  const definition = signal('known', () => 1, { timeoutMs: 500, standardMs: 50 });
  await harness.worker('known', [definition]);
  const entry = await openBucket(harness.bus, harness.bus.names.buckets.types, 1);
  const record = (await entry.get('known'))?.json<TypeRecord>();
  expect(record).toMatchObject({ timeout_ms: 500, standard_ms: 50, retry: { max_attempts: 3, base_ms: 10 } });
});

test('a transient failure is retried, each attempt is recorded, and the last one leaves a dead letter', async () => {
  const failing = (): never => {
    throw new Error('dependency is down');
  };
  const twice = signal('twice', (_, { signal: { attempt } }) => (attempt < 3 ? failing() : 'third time'));
  await harness.worker('retry', [signal('always', failing), twice]);
  const [lost, won] = await Promise.all([
    harness.enqueue('always', { payload: { keep: 'me' } }),
    harness.enqueue('twice'),
  ]);
  await Promise.all([finished(lost), finished(won)]);
  expect(harness.statusesOf(lost)).toEqual([
    ['retrying', 1],
    ['retrying', 2],
    ['failed', 3],
  ]);
  expect(harness.statusesOf(won)).toEqual([
    ['retrying', 1],
    ['retrying', 2],
    ['succeeded', 3],
  ]);
  const dead = await harness.lastDead('always');
  expect(dead).toMatchObject({ signal: { id: lost, payload: { keep: 'me' } } });
  expect(dead).toMatchObject({ outcome: { status: 'failed', error_class: 'transient' } });
  await drained('always');
});

test('a defect and a rejection end a signal at once; only the defect leaves a dead letter', async () => {
  await harness.worker('faults', [
    signal('defect', () => (undefined as unknown as { x: { y: 1 } }).x.y),
    signal('liar', () => 7, { output: Type.String() }),
    signal('refusing', () => {
      throw new RejectedError('no such task');
    }),
  ]);
  const ids = await Promise.all(['defect', 'liar', 'refusing'].map((type) => harness.enqueue(type)));
  await Promise.all(ids.map(finished));
  expect(ids.map((id) => harness.statusesOf(id))).toEqual([
    [['failed', 1]],
    [['failed', 1]],
    [['rejected', 1]],
  ]);
  expect(harness.of('liar')[0]).toMatchObject({
    error_class: 'defect',
    message: expect.stringContaining('output schema') as string,
  });
  expect(await harness.lastDead('defect')).toMatchObject({ outcome: { error_class: 'defect' } });
  expect(await harness.lastDead('refusing')).toBeUndefined();
});

test('a signal that is not started in time expires; one that exceeds its own deadline fails with class capacity', async () => {
  let runs = 0;
  const never = async (): Promise<never> => {
    runs += 1;
    return new Promise(() => undefined);
  };
  await harness.worker('late', [signal('late', never)]);
  const late = await harness.enqueue('late', {
    created_at: new Date(Date.now() - 5_000).toISOString(),
    timeout_ms: 1_000,
  });
  await finished(late);
  expect([runs, harness.statusesOf(late)]).toEqual([0, [['expired', 0]]]);
  expect(await harness.lastDead('late')).toMatchObject({
    outcome: { status: 'expired', error_class: 'capacity' },
  });
  const slow = await harness.enqueue('late', { timeout_ms: 100 });
  await finished(slow);
  expect(harness.of('late')[1]).toMatchObject({ status: 'failed', error_class: 'capacity', attempt: 1 });
});

test('a signal whose handler finds no room comes back at no attempt cost, until its own deadline', async () => {
  let room = false;
  const starts: number[] = [];
  const type = signal('scarce', async (_, { signal: { attempt } }) => {
    starts.push(attempt);
    if (!room) throw new CapacityError('all threads are busy');
    return 'done';
  });
  await harness.worker('scarce', [type]);
  const late = await harness.enqueue('scarce', { timeout_ms: 300 });
  const message = 'not started within its timeout_ms: all threads are busy';
  expect(await finished(late)).toMatchObject({ status: 'expired', error_class: 'capacity', message });
  const id = await harness.enqueue('scarce');
  await waitFor('a release', () => harness.statusesOf(id).length > 0);
  room = true;
  expect(await finished(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(harness.statusesOf(id)[0]).toEqual(['returned', 0]);
  expect(new Set(starts)).toEqual(new Set([1]));
  await drained('scarce');
});

test('a message that is no signal becomes a dead letter and delays no other', async () => {
  await harness.worker('sane', [signal('sane', () => 1)]);
  await harness.bus.publisher.publish(harness.bus.names.subjects.work('sane', 3, 'odd'), 'not json');
  const id = await harness.enqueue('sane');
  await finished(id);
  await drained('sane');
  const dead = await harness.lastDead('sane');
  expect(dead).toMatchObject({ invalid: true });
  expect(Buffer.from(dead?.data ?? '', 'base64').toString()).toBe('not json');
});

test("a killed worker's signal comes back, and its lost delivery counts as an attempt", async () => {
  const jsm = await managerOf(harness.bus);
  const stream = harness.bus.names.streams.kanban;
  await ensureLanes(harness.bus, 'orphan');
  // With a short lease, an unanswered delivery comes back soon.
  await jsm.consumers.update(stream, laneName('orphan', 3), { ack_wait: nanos(1_000) });
  const id = await harness.enqueue('orphan');
  // The dead worker took the signal and is never heard of again.
  const next = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${laneName('orphan', 3)}`;
  expect(
    (await harness.bus.nc.request(next, '{"batch":1}', { timeout: 5_000, noMux: true })).subject,
  ).toContain(id);

  await harness.worker('heir', [signal('orphan', (_, { signal: { attempt } }) => attempt)]);
  await finished(id);
  expect(harness.statusesOf(id)).toEqual([['succeeded', 2]]);
  expect(harness.of('orphan')[0]).toMatchObject({ result: 2, delivery: 2 });
});

test('a signal whose time ends while its killed worker has the lease fails, without running again', async () => {
  const jsm = await managerOf(harness.bus);
  const stream = harness.bus.names.streams.kanban;
  await ensureLanes(harness.bus, 'short');
  await jsm.consumers.update(stream, laneName('short', 3), { ack_wait: nanos(1_000) });
  const id = await harness.enqueue('short', { timeout_ms: 500 });
  const next = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${laneName('short', 3)}`;
  await harness.bus.nc.request(next, '{"batch":1}', { timeout: 5_000, noMux: true });
  let runs = 0;
  await harness.worker('heir of the short', [signal('short', () => (runs += 1))]);
  expect(await finished(id)).toMatchObject({
    ...{ status: 'failed', error_class: 'transient', attempt: 1 },
    message: 'attempt 1 left no record: the worker died; its timeout_ms ended before another attempt',
  });
  expect([runs, (await harness.lastDead('short'))?.outcome?.status]).toEqual([0, 'failed']);
});

test('a signal whose acknowledgement was lost is not run again', async () => {
  let runs = 0;
  await harness.worker('again', [signal('again', () => (runs += 1))]);
  const id = await harness.enqueue('again');
  await finished(id);
  await drained('again');
  // Sends the same signal again, as a suspect, as after an unknown answer.
  const body = { v: 1, id, run: 0, signal_type: 'again', priority: 3, payload: {}, timeout_ms: 60_000 };
  await harness.bus.publisher.publish(
    harness.bus.names.subjects.work('again', 3, id),
    JSON.stringify({ ...body, created_at: new Date().toISOString() }),
    { headers: encodeHeaders([['tps-suspect', '1']]) },
  );
  await drained('again');
  expect([runs, harness.statusesOf(id)]).toEqual([1, [['succeeded', 1]]]);
});

test('a stop finishes the running signals and releases the rest, at no attempt cost', async () => {
  const type = signal('stopped', gated('stopped'));
  const first = await harness.worker('first', [type], { TPS_NUM_WORKERS: '1' });
  // Fast work is fetched ahead, so that some of it waits behind the slow signal.
  for (const id of await Promise.all(Array.from({ length: 20 }, () => harness.enqueue('stopped'))))
    await finished(id);
  const slow = await harness.enqueue('stopped', { payload: { wait: true } });
  await waitFor('the slow one to start', async () => (await held(slow)) === 'started');
  const waiting = await Promise.all(Array.from({ length: 5 }, () => harness.enqueue('stopped')));
  const stopping = harness.stop(first);
  const returns = (): Outcome[] => harness.of('stopped').filter(({ status }) => status === 'returned');
  open('stopped');
  await stopping;
  await finished(slow);
  expect(harness.statusesOf(slow)).toEqual([['succeeded', 1]]);
  expect(returns().every(({ attempt, final }) => attempt === 0 && !final)).toBe(true);

  await harness.worker('second', [type]);
  await Promise.all(waiting.map(finished));
  for (const id of waiting) expect(harness.statusesOf(id).at(-1)).toEqual(['succeeded', 1]);
  await drained('stopped');
});

test('a signal whose removal is undone loses no attempt', async () => {
  await harness.worker('undone', [signal('undone', () => 1)]);
  const id = 'undone-1';
  const { workerBlock } = harness.bus.names.subjects;
  await harness.bus.nc.request(workerBlock, JSON.stringify({ id }), { timeout: 5_000 });
  await harness.enqueue('undone', { id });
  const jsm = await managerOf(harness.bus);
  const stream = harness.bus.names.streams.kanban;
  await waitFor('the delivery', async () => {
    return (await jsm.consumers.info(stream, laneName('undone', 3))).num_ack_pending === 1;
  });
  harness.bus.nc.publish(workerBlock, JSON.stringify({ id, undo: true }));
  await finished(id);
  expect(harness.statusesOf(id).at(-1)).toEqual(['succeeded', 1]);
});

test('a removed signal that is requeued runs at once', async () => {
  await harness.worker('again', [signal('again', () => 1)]);
  const id = 'again-1';
  await harness.bus.nc.request(harness.bus.names.subjects.workerBlock, JSON.stringify({ id, run: 0 }), {
    timeout: 5_000,
  });
  await harness.enqueue('again', { id, run: 1 });
  expect(await finished(id)).toMatchObject({ run: 1, status: 'succeeded', attempt: 1 });
});
