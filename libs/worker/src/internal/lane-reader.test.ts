import { type Bus, connectBus, ensureLanes, ensureStream, managerOf } from '@tps/bus';
import { laneName } from '@tps/contracts';
import { NatsServer, waitFor } from '@tps/testkit';
import { type Delivery, LaneReader } from './lane-reader';
import { LeaseTable } from './lease-table';
import type { QueueLife } from './queue-life';

const TYPE = 'demo';
const LANE = laneName(TYPE, 3);
let nats: NatsServer;
let bus: Bus;
let reader: LaneReader;
let came: Delivery[];
let missing: number;
let lost: number;

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureStream(bus, 'kanban', { replicas: 1 });
  await ensureLanes(bus, TYPE);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});
beforeEach(() => {
  came = [];
  missing = 0;
  lost = 0;
  const life = { no: 7 } as QueueLife;
  reader = new LaneReader(bus, life, LeaseTable.ofCapacity(8), {
    onMessage: (delivered) => {
      came.push(delivered);
      delivered.msg.respond('+ACK');
    },
    onMissing: (_, count) => (missing += count),
    onLost: () => (lost += 1),
  });
  reader.add(LANE);
});
afterEach(() => reader.close());

let next = 0;
const publish = (count: number): Promise<unknown> =>
  Promise.all(
    Array.from({ length: count }, () =>
      bus.publisher.publish(bus.names.subjects.work(TYPE, 3, `id-${(next += 1)}`), '{}'),
    ),
  );
const until = (count: number): Promise<unknown> => waitFor(`${count} messages`, () => came.length === count);

/** Reads a burst of ten. The first message comes by the poll and tells how many more there are. */
async function burst(): Promise<number> {
  await publish(10);
  reader.poll(LANE, Date.now());
  await until(1);
  expect(reader.waiting(LANE)).toBe(9);
  reader.pull(LANE, 9);
  await until(10);
  return Date.now();
}

test('a message that comes by a poll tells how many a pull may request', async () => {
  await burst();
  expect(came.map(({ planned }) => planned)).toEqual([false, ...Array<boolean>(9).fill(true)]);
  expect(came.every(({ lifeNo }) => lifeNo === 7)).toBe(true);
  expect(reader.waiting(LANE)).toBe(0);
  expect(reader.quiet).toBe(true);
});

test('a poll on a busy lane requests the next burst, up to its limit', async () => {
  const now = await burst();
  reader.poll(LANE, now, { atMost: 4 });
  expect(reader.polled).toBe(4);
  await publish(4);
  await until(14);
  expect(reader.polled).toBe(0);
  expect(came.slice(10).every(({ planned }) => !planned)).toBe(true);
});

test('a poll requests one message if none came lately', async () => {
  const now = await burst();
  reader.poll(LANE, now + 1_000, { atMost: 4 });
  expect(reader.polled).toBe(1);
  await publish(1);
  await until(11);
});

test('a message of a poll is never counted for a pull, whichever ends first', async () => {
  const now = await burst();
  reader.poll(LANE, now, { atMost: 4 });
  // The pull finds nothing and ends without messages; the poll stays open.
  reader.pull(LANE, 5);
  await waitFor('the end of the pull', () => missing === 5);
  expect(reader.polled).toBe(4);
  await publish(2);
  await until(12);
  expect(came.slice(10).map(({ planned }) => planned)).toEqual([false, false]);
  expect(reader.polled).toBe(2);
  // Another reader emptied the lane while the poll was answered. Both counts must be right afterwards.
  reader.pull(LANE, 3);
  await Promise.all([publish(2), waitFor('the end of the pull', () => missing >= 5)]);
  await until(14);
  await waitFor('the counts to be right', () => {
    const byPoll = came.slice(12).filter(({ planned }) => !planned).length;
    return reader.polled === 2 - byPoll && missing === 5 + 3 - (2 - byPoll);
  });
});

test('a lane that is deleted or does not answer is reported as lost', async () => {
  reader.poll(LANE, Date.now());
  const { consumers } = await managerOf(bus);
  await consumers.delete(bus.names.streams.kanban, LANE);
  await waitFor('the end of the poll', () => lost === 1);
  // A pull from a missing lane gets no answer.
  reader.pull(LANE, 1);
  reader.sweep(Date.now() + 60_000);
  expect([lost, missing, reader.quiet]).toEqual([2, 1, true]);
  await ensureLanes(bus, TYPE);
});
