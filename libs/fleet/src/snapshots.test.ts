import { type Bus, connectBus, managerOf, openObjectStore } from '@tps/bus';
import { type Message, MessageError } from '@tps/contracts';
import { NatsServer } from '@tps/testkit';
import { Snapshots } from './snapshots';

const STORE = 'tps_kaizen';
let nats: NatsServer;
let bus: Bus;
let unreadable: unknown[] = [];

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});
beforeEach(() => {
  unreadable = [];
});

interface Note {
  text: string;
}
function parse(message: Message): Note {
  const note = message.json() as Note;
  if (typeof note.text !== 'string') throw new MessageError('no text');
  return note;
}
const open = (): Snapshots<Note> =>
  new Snapshots(bus, { store: STORE, parse, replicas: 1, onUnreadable: (error) => unreadable.push(error) });

test('a store without a snapshot has none', async () => {
  expect(await open().read()).toBeUndefined();
  expect(unreadable).toEqual([]);
});

test('the newest place wins, whichever process writes it', async () => {
  const [one, two] = [open(), open()];
  const writes = [
    [one, { atMs: 1_000, seq: 5 }, 'first', true],
    [two, { atMs: 1_000, seq: 5 }, 'as new', false],
    [two, { atMs: 1_000, seq: 6 }, 'same time, next message', true],
    [one, { atMs: 900, seq: 7 }, 'older', false],
    // A log that replaced another one begins at 1 again.
    [one, { atMs: 2_000, seq: 1 }, 'next log', true],
  ] as const;
  for (const [writer, place, text, written] of writes) {
    expect([text, await writer.write(place, { text })]).toEqual([text, written]);
  }
  expect(await two.read()).toEqual({ text: 'next log' });
});

test('the store keeps one whole snapshot of several writers at the same moment, and no parts of the others', async () => {
  const text = Array.from({ length: 100_000 }, () => Math.random()).join();
  const places = [1, 2, 3, 4].map((n) => ({ atMs: 3_000, seq: n }));
  const written = await Promise.all(places.map((place) => open().write(place, { text })));
  expect(written).toContain(true);
  expect(await open().read()).toEqual({ text });
  await open().write({ atMs: 4_000, seq: 1 }, { text: 'small' });
  const jsm = await managerOf(bus);
  expect((await jsm.streams.info(`OBJ_${STORE}`)).state.messages).toBe(2);
});

test.each<[string, Uint8Array]>([
  ['other bytes', Buffer.from('no gzip')],
  ['another shape', Buffer.from('H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==', 'base64')],
])('%s in place of a snapshot are reported, and replaced by the next write', async (_what, data) => {
  const store = await openObjectStore(bus, STORE, { replicas: 1, timeout: 3_000 });
  await store.putBlob({ name: 'snapshot', metadata: { at_ms: '999999', seq: '1' } }, data);
  const snapshots = open();
  expect(await snapshots.read()).toBeUndefined();
  expect(unreadable).toHaveLength(1);
  expect(await snapshots.write({ atMs: 5_000, seq: 1 }, { text: 'again' })).toBe(true);
  expect(await open().read()).toEqual({ text: 'again' });
  await store.delete('snapshot');
});

test('a store that the broker lost is made again', async () => {
  const snapshots = open();
  await (await managerOf(bus)).streams.delete(`OBJ_${STORE}`);
  expect(await snapshots.write({ atMs: 1, seq: 1 }, { text: 'new' })).toBe(true);
  expect(await snapshots.read()).toEqual({ text: 'new' });
});
