import type { Message } from '@tps/contracts';
import { NatsServer, waitFor } from '@tps/testkit';
import { restoreMissing } from './bucket';
import { type Bus, connectBus } from './connect';
import type { LogStart } from './follow-options';
import { Follower } from './follower';
import { KvView } from './kv';
import { createStream, ensureStream, managerOf } from './streams';

jest.setTimeout(60_000);

const settings = { replicas: 1 };
const STREAM = 'OUTCOMES';
/** Values of a lost bucket are remembered for five seconds. */
const FORGOTTEN = { limitMs: 10_000 };

describe('a stream or bucket that the broker lost', () => {
  let server: NatsServer;
  let bus: Bus;
  let other: Bus;
  beforeEach(async () => {
    server = await NatsServer.start();
    [bus, other] = await Promise.all([
      connectBus({ url: server.url, name: 'one' }),
      connectBus({ url: server.url, name: 'other' }),
    ]);
  });
  afterEach(async () => {
    await Promise.all([bus.close(), other.close()]);
    await server.stop();
  });
  const onError = (): void => undefined;
  const append = (n: number): Promise<unknown> =>
    other.publisher.publish(other.names.subjects.outcomeBatch, JSON.stringify(n));
  const deleteStream = async (name: string): Promise<unknown> =>
    (await managerOf(other)).streams.delete(name);
  const losses = (): unknown[] => bus.losses.recent().map(({ name, entries }) => [name, entries]);

  describe('follower', () => {
    let seen: number[];
    let starts: LogStart[];
    let follower: Follower;
    const follow = async (ensure = true, fromSeq?: number): Promise<void> => {
      seen = [];
      starts = [];
      await ensureStream(other, 'outcomes', settings);
      for (let n = 1; n <= 5; n += 1) await append(n);
      follower = new Follower(bus, {
        stream: STREAM,
        gatherMs: 0,
        onStart: (start) => starts.push(start),
        onMessage: ({ msg }) => seen.push(msg.json<number>()),
        onError,
        ...(ensure ? { ensure: () => createStream(bus, 'outcomes', settings) } : {}),
        ...(fromSeq === undefined ? {} : { fromSeq }),
      });
      await waitFor('the earlier messages', () => seen.includes(5));
    };
    afterEach(() => follower.stop());
    const appended = (n: number): Promise<unknown> =>
      waitFor('the stream to be there again', () => append(n).catch(() => false));

    test('an empty store is noticed: the stream is created again and read from its beginning', async () => {
      await follow();
      await server.loseStore();
      await appended(6);
      await waitFor('the later messages', () => seen.includes(6));
      expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
      expect(starts.map(({ replaced }) => replaced)).toEqual([false, true]);
      expect(losses()).toEqual([[STREAM, undefined]]);
      expect(await follower.caughtUp()).toBe(true);
    });

    test('a stream that grew further than the one before it is read whole', async () => {
      await follow(false);
      await deleteStream(STREAM);
      await ensureStream(other, 'outcomes', settings);
      for (let n = 11; n <= 20; n += 1) await append(n);
      await waitFor('the later messages', () => seen.includes(20));
      expect(seen.slice(5)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    });

    test('a position in the lost stream means nothing in the next one', async () => {
      await follow(true, 4);
      expect(seen).toEqual([4, 5]);
      await deleteStream(STREAM);
      await appended(6);
      await waitFor('the later messages', () => seen.includes(6));
      expect(seen).toEqual([4, 5, 6]);
    });

    test('it is not caught up with a log that it has not begun to read', async () => {
      await follow(false);
      await deleteStream(STREAM);
      expect(await follower.caughtUp(200)).toBe(false);
      await ensureStream(other, 'outcomes', settings);
      await append(6);
      expect(await follower.caughtUp(5_000)).toBe(true);
      expect(seen).toContain(6);
    });

    test('a deleted consumer is created again, and nothing counts as lost', async () => {
      await follow();
      const { consumers } = await managerOf(other);
      for await (const { name } of consumers.list(STREAM)) await consumers.delete(STREAM, name);
      await append(6);
      await waitFor('the later messages', () => seen.includes(6));
      expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
      expect(losses()).toEqual([]);
    });
  });

  describe('KvView', () => {
    const views: KvView<number>[] = [];
    const open = async (
      at: Bus,
      given: { onChange?: (key: string, value?: number) => void; owner?: true } = {},
    ): Promise<KvView<number>> => {
      const { onChange, owner } = given;
      const parse = (_key: string, message: Message): number => message.json() as number;
      const options = { replicas: 1, onError, parse, ...(owner ? { restore: restoreMissing<number> } : {}) };
      const view = await KvView.open<number>(at, 'tps_stops', {
        ...options,
        ...(onChange ? { onChange } : {}),
      });
      views.push(view);
      return view;
    };
    afterEach(() => views.splice(0).forEach((view) => view.close()));

    test.each([
      ['the store was lost', () => server.loseStore()],
      ['the bucket was deleted', () => deleteStream('KV_tps_stops')],
    ])('follows what others write within a second after %s', async (_what, lose) => {
      const [one, two] = [await open(bus), await open(other)];
      for (let n = 1; n <= 20; n += 1) await two.put('a', n);
      await lose();
      await waitFor('the connections', () => bus.connected && other.connected);
      const write = two.put('b', 7);
      await expect(write).resolves.toBeUndefined();
      await waitFor('the other to see it', () => one.get('b') === 7, { limitMs: 1_000 });
      await one.put('b', 8);
      await waitFor('the first to see it', () => two.get('b') === 8, { limitMs: 1_000 });
    });

    test('an owner that remembers the values writes them again, and they stay in force all the time', async () => {
      const changes: [string, number | undefined][] = [];
      await open(other, { owner: true });
      const reader = await open(bus, { onChange: (key, value) => changes.push([key, value]) });
      await views[0]!.put('stopped', 1);
      await waitFor('the value', () => reader.get('stopped') === 1);
      await server.loseStore();
      await waitFor('the loss to be seen', () => losses().length > 0);
      await waitFor('it to be written again', () => (reader.entry('stopped')?.revision ?? 0) > 0);
      expect(changes.map(([, value]) => value)).toEqual([1, 1]);
      const fresh = await open(bus);
      expect(fresh.get('stopped')).toBe(1);
      expect(losses()).toEqual([['KV_tps_stops', 1]]);
    });

    test('a value that nobody writes again stays in force for a while, and its loss is reported', async () => {
      const reader = await open(bus);
      await reader.put('gone', 1);
      await deleteStream('KV_tps_stops');
      await waitFor('the next bucket to be followed', () => reader.entry('gone')?.revision === 0);
      expect(reader.get('gone')).toBe(1);
      await waitFor('it to be forgotten', () => reader.get('gone') === undefined, FORGOTTEN);
      expect(bus.losses.recent().map(({ gone }) => gone)).toEqual([undefined, true]);
    });

    test('a value that was deleted from the next bucket is not written again', async () => {
      const owner = await open(bus, { owner: true });
      await owner.put('a', 1);
      owner.close();
      // It comes late, after another process restored the value and a person deleted it.
      const late = await open(bus);
      await deleteStream('KV_tps_stops');
      const next = await open(other);
      await next.put('a', 1);
      await next.remove('a');
      await waitFor('the removal to be seen', () => late.get('a') === undefined);
    });

    test('a compare-and-set does not rely on a revision of the lost bucket', async () => {
      const [one, two] = [await open(bus), await open(other)];
      await one.put('a', 1);
      const { revision } = one.entry('a')!;
      await deleteStream('KV_tps_stops');
      await two.put('a', 5);
      expect(two.entry('a')!.revision).toBe(revision);
      // The same revision belongs to another value now.
      expect(await one.update('a', (value) => (value ?? 0) + 1)).toBe(6);
    });

    test('a write fails while the bucket can be neither followed nor created', async () => {
      const view = await open(bus);
      await server.kill();
      await waitFor('the connection to be noticed as lost', () => !bus.connected);
      await expect(view.put('a', 1)).rejects.toMatchObject({ name: 'KvUnsettledError' });
      expect(view.problems(Date.now() + 10_000)).toEqual(['tps_stops is not followed now']);
      await server.restart();
      await waitFor('the connection to be back', () => bus.connected);
      await view.put('a', 2);
    });

    test('a value that was deleted without a marker is dropped with the next consumer', async () => {
      const [one, two] = [await open(bus), await open(other)];
      await two.put('a', 1);
      await waitFor('the value', () => one.get('a') === 1);
      const jsm = await managerOf(other);
      await jsm.streams.purge('KV_tps_stops');
      for await (const { name } of jsm.consumers.list('KV_tps_stops'))
        await jsm.consumers.delete('KV_tps_stops', name);
      await waitFor('it to be dropped', () => one.get('a') === undefined);
    });
  });
});
