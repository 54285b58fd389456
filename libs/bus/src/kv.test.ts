import { MessageError, type RecordOf } from '@tps/contracts';
import { NatsServer, waitFor } from '@tps/testkit';
import { type Bus, connectBus } from './connect';
import { openBucket } from './bucket';
import { openView } from './kv';

type Cards = RecordOf<'cards'>;

const onError = (): void => undefined;
const set_at = '2026-01-25T12:00:00.000Z';
const record = (cards: number): Cards => ({ v: 1, signal_type: 'demo', cards, set_at });

/** Buckets of a real broker, which is killed and brought back. */
describe('a view of a bucket', () => {
  let server: NatsServer;
  let bus: Bus;
  beforeEach(async () => {
    server = await NatsServer.start();
    bus = await connectBus({ url: server.url, name: 'test' });
  });
  afterEach(async () => {
    await bus.close();
    await server.stop();
  });
  const open = (options: { onChange?: (key: string, value: Cards | undefined) => void } = {}) =>
    openView(bus, 'cards', { replicas: 1, onError, ...options });

  test('opens while others write, as in a fleet that starts', async () => {
    const buses = await Promise.all(
      [1, 2, 3, 4].map((n) => connectBus({ url: server.url, name: `opens ${n}` })),
    );
    const start = async (each: Bus, round: number): Promise<void> => {
      const view = await openView(each, 'cards', { replicas: 1, onError });
      for (let key = 0; key < 8; key += 1) await view.put(`key-${key}`, record(round));
      view.close();
    };
    // Before, one in seven such starts never ended.
    for (let round = 1; round <= 30; round += 1) {
      await Promise.all(buses.map((each) => start(each, round)));
    }
    await Promise.all(buses.map((each) => each.close()));
  });

  test('follows what others write, and only the first of two writers wins', async () => {
    const [one, two] = await Promise.all([open(), open()]);
    expect(await one.compareAndSet('a', record(1), 0)).toBeGreaterThan(0);
    await waitFor('the other to see it', () => two.get('a')?.cards === 1);
    const { revision } = two.entry('a')!;
    expect(await two.compareAndSet('a', record(2), revision)).toBeGreaterThan(revision);
    expect(await one.compareAndSet('a', record(3), revision)).toBeNull();
    expect((await one.read('a'))?.value).toEqual(record(2));
    one.close();
    two.close();
  });

  test('is caught up when it has all values that others had written before', async () => {
    const [one, two] = await Promise.all([open(), open()]);
    for (let n = 1; n <= 50; n += 1) {
      await one.put(`key-${n}`, record(n));
      expect(await two.caughtUp(2_000)).toBe(true);
      expect(two.get(`key-${n}`)).toEqual(record(n));
    }
    two.close();
    await one.put('key-1', record(51));
    expect(await two.caughtUp(50)).toBe(false);
    one.close();
  });

  test('a deleted key can be written again', async () => {
    const view = await open();
    await view.put('a', record(1));
    await view.remove('a');
    expect(await view.update('a', (value) => value ?? record(7))).toEqual(record(7));
    await view.remove('a');
    expect(await view.compareAndSet('a', record(8), 0)).toBeGreaterThan(0);
    expect(await view.compareAndSet('a', record(9), 0)).toBeNull();
    expect((await view.read('a'))?.value).toEqual(record(8));
    view.close();
  });

  test('begins with the present values, and continues after a killed broker', async () => {
    const first = await open();
    await first.put('a', record(1));
    const changed: string[] = [];
    const second = await open({ onChange: (key) => changed.push(key) });
    expect([second.get('a'), second.keys(), second.values()]).toEqual([record(1), ['a'], [record(1)]]);
    await server.kill();
    await waitFor('the connection to be noticed as lost', () => !bus.connected);
    await server.restart();
    await waitFor('the connection to be back', () => bus.connected);
    await waitFor('a write', () => first.put('b', record(2)).then(() => true));
    await waitFor('the change', () => changed.includes('b'), { limitMs: 20_000 });
    first.close();
    second.close();
  });

  test('reports an unreadable value, keeps the previous one and does not overwrite it', async () => {
    const errors: unknown[] = [];
    const view = await openView(bus, 'cards', { replicas: 1, onError: (error) => errors.push(error) });
    await view.put('a', record(1));
    const bucket = await openBucket(bus, bus.names.buckets.cards, 1);
    for (const bad of ['no JSON', '[]', '{"v":3}', JSON.stringify({ ...record(1), cards: 'many' })]) {
      const known = errors.length;
      await bucket.put('a', bad);
      await waitFor('the report', () => errors.length > known);
    }
    expect(errors.map(String)).toEqual([
      'MessageError: cards a: not JSON',
      'MessageError: cards a: the message is an array: expected object',
      'MessageError: cards a: /v is 3: expected version 0 or 1',
      "MessageError: cards a: /cards is a string: expected integer or 'auto'",
    ]);
    expect(view.get('a')).toEqual(record(1));
    await expect(view.update('a', () => record(2))).rejects.toThrow(MessageError);
    expect((await bucket.get('a'))?.json()).toMatchObject({ cards: 'many' });
    view.close();
  });
});
