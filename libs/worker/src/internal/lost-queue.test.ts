import { ensureLanes, ensureStream, managerOf } from '@tps/bus';
import type { RequestOf } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { signal, WorkerHarness } from './worker-harness.fixture';

jest.setTimeout(60_000);

/** Ends the handler whose payload has this name. */
const gates = new Map<string, () => void>();
const gated = signal('gated', async (input) => {
  const { name } = input as { name: string };
  await new Promise<void>((open) => gates.set(name, open));
});

describe('a worker whose queue is lost', () => {
  let harness: WorkerHarness;
  beforeEach(async () => {
    gates.clear();
    harness = await WorkerHarness.start();
    harness.serveRecords();
    serveLanes();
    await harness.worker('one', [gated], { TPS_NUM_WORKERS: '2' });
  });
  afterEach(() => harness.close());

  /** Creates what is missing and tells which queue it is, as kanban does. */
  function serveLanes(): void {
    const { bus } = harness;
    const answer = async ({ types }: RequestOf<'lanes'>): Promise<string> => {
      await ensureStream(bus, 'kanban', { replicas: 1, kanbanMaxMessages: 10_000 });
      for (const stream of ['outcomes', 'dead'] as const) await ensureStream(bus, stream, { replicas: 1 });
      for (const type of types) await ensureLanes(bus, type);
      const { created } = await (await managerOf(bus)).streams.info(bus.names.streams.kanban);
      return JSON.stringify({ ready: true, created });
    };
    bus.nc.subscribe(bus.names.subjects.lanes, {
      callback: (_, msg) => void answer(msg.json()).then((reply) => msg.respond(reply)),
    });
  }
  const running = (name: string): Promise<unknown> => waitFor(`${name} to run`, () => gates.get(name));
  const enqueue = (name: string): Promise<string> => harness.enqueue('gated', { payload: { name } });
  const restored = (): Promise<unknown> =>
    waitFor(
      'the queue to be there',
      () =>
        harness.queued().then(
          () => true,
          () => false,
        ),
      { limitMs: 10_000 },
    );

  test('does not remove a new signal by the acknowledgement of a signal of the lost queue with the same sequence', async () => {
    const old = await enqueue('old');
    await running('old');
    await harness.nats.loseStore();
    await restored();
    const young = await enqueue('young');
    await running('young');
    gates.get('old')!();
    await harness.finished(old);
    // Both have sequence 1. The new signal is still there, and its own end removes it.
    expect(await harness.queued('gated')).toBe(1);
    gates.get('young')!();
    await harness.finished(young);
    await harness.drained('gated');
  });

  test('takes signals from lanes that were created again, also if it was never disconnected', async () => {
    await (await managerOf(harness.bus)).streams.delete(harness.bus.names.streams.kanban);
    await restored();
    const id = await enqueue('next');
    await running('next');
    gates.get('next')!();
    expect(await harness.finished(id)).toMatchObject({ status: 'succeeded' });
  });

  test('takes signals again from a lane that somebody deleted, and runs those in flight once', async () => {
    const id = await enqueue('first');
    await running('first');
    const { consumers } = await managerOf(harness.bus);
    await consumers.delete(harness.bus.names.streams.kanban, 'gated_3');
    const second = await waitFor('the lane', async () => {
      await consumers.info(harness.bus.names.streams.kanban, 'gated_3');
      return enqueue('second');
    });
    await running('second');
    gates.get('first')!();
    gates.get('second')!();
    for (const each of [id, second]) await harness.finished(each);
    await harness.drained('gated');
    expect([harness.statusesOf(id), harness.statusesOf(second)]).toEqual([
      [['succeeded', 1]],
      [['succeeded', 1]],
    ]);
  });
});
