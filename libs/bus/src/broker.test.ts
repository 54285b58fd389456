import type { Msg } from '@nats-io/transport-node';
import { NatsServer, waitFor } from '@tps/testkit';
import { type Bus, connectBus } from './connect';
import { parseDelivery } from './delivery';
import { Follower } from './follower';
import { encodeHeaders } from './headers';
import { PublishError } from './publisher';
import { createStream, ensureLanes, ensureStream, managerOf, type StreamSettings } from './streams';

const settings = { replicas: 1, kanbanMaxMessages: 3 };
const TAKE = { timeout: 10_000, noMux: true };
const onError = (): void => undefined;

/** The bus over a real broker, which is killed and brought back. */
describe('bus', () => {
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
  const restart = async (): Promise<void> => {
    await server.kill();
    await waitFor('the connection to be noticed as lost', () => !bus.connected);
    await server.restart();
    await waitFor('the connection to be back', () => bus.connected);
  };
  const append = (n: number): Promise<unknown> =>
    bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify(n));

  test('a pause before another try ends when the connection is back', async () => {
    await server.kill();
    await waitFor('the connection to be noticed as lost', () => !bus.connected);
    const waited = bus.sleepUntilReconnect(600_000);
    await server.restart();
    await waited;
    await bus.sleepUntilReconnect(10);
  });

  describe('publisher', () => {
    test('resolves to the sequence; a repeated id is reported as a duplicate', async () => {
      await ensureStream(bus, 'outcomes', settings);
      const publish = (): Promise<object> =>
        bus.publisher.publish('tps.outcomes.batch', '1', {
          headers: encodeHeaders([['Nats-Msg-Id', 'one']]),
        });
      expect(await publish()).toMatchObject({ stream: 'OUTCOMES', seq: 1 });
      expect(await publish()).toMatchObject({ seq: 1, duplicate: true });
    });

    test('a full stream is back pressure, and certainly did not accept', async () => {
      await ensureStream(bus, 'kanban', settings);
      for (const id of ['1', '2', '3']) await bus.publisher.publish(`tps.kanban.a.1.${id}`, '{}');
      const error = await bus.publisher.publish('tps.kanban.a.1.4', '{}').catch((e: unknown) => e);
      expect(error).toBeInstanceOf(PublishError);
      expect(error).toMatchObject({ full: true, accepted: false });
    });

    test('a message on a subject that no stream takes is certainly not accepted', async () => {
      const error = await bus.publisher.publish('nobody.home', '{}').catch((e: unknown) => e);
      expect(error).toMatchObject({ full: false, accepted: false });
    });

    test('a broker that hangs leaves the outcome unknown; without a connection publishing fails at once', async () => {
      await ensureStream(bus, 'outcomes', settings);
      await server.freeze();
      const error = await bus.publisher
        .publish('tps.outcomes.batch', '1', { timeoutMs: 300 })
        .catch((e: unknown) => e);
      server.thaw();
      expect(error).toMatchObject({ accepted: 'unknown' });
      await server.kill();
      await waitFor('the connection to be noticed as lost', () => !bus.connected);
      await expect(append(2)).rejects.toMatchObject({ accepted: false });
    });
  });

  describe('follower', () => {
    test('delivers every message once and in order, across a killed broker', async () => {
      await ensureStream(bus, 'outcomes', settings);
      for (let n = 1; n <= 700; n += 1) void append(n);
      const seen: number[] = [];
      const onMessage = ({ msg }: { msg: { json<T>(): T } }): void => void seen.push(msg.json<number>());
      const follower = new Follower(bus, { stream: 'OUTCOMES', onMessage, onError });
      await waitFor('the earlier messages', () => seen.length === 700);
      await restart();
      await append(701);
      await waitFor('the later messages', () => seen.length === 701);
      expect(seen).toEqual(Array.from({ length: 701 }, (_, i) => i + 1));
      await follower.stop();
    });

    test('a follower that starts while the broker is down follows as soon as it is back', async () => {
      await ensureStream(bus, 'outcomes', settings);
      await append(1);
      await server.kill();
      await waitFor('the connection to be noticed as lost', () => !bus.connected);
      let seen = 0;
      const follower = new Follower(bus, { stream: 'OUTCOMES', onMessage: () => (seen += 1), onError });
      const asked = follower.caughtUp(100);
      await server.restart();
      await waitFor('the connection to be back', () => bus.connected);
      // It must not wait until the client gives up on a request of the outage, after five seconds.
      await waitFor('the earlier messages', () => seen === 1, { limitMs: 3_000 });
      expect(await asked).toBe(false);
      expect(await follower.caughtUp()).toBe(true);
      await follower.stop();
    });

    test('caughtUp resolves when all earlier messages are handled, also on an empty stream', async () => {
      await ensureStream(bus, 'outcomes', settings);
      let seen = 0;
      const onMessage = (): void => void (seen += 1);
      const follower = new Follower(bus, { stream: 'OUTCOMES', onMessage, onError, gatherMs: 10_000 });
      expect(await follower.caughtUp()).toBe(true);
      await Promise.all([append(1), append(2), append(3)]);
      expect(await follower.caughtUp()).toBe(true);
      expect(seen).toBe(3);
      await follower.stop();
    });

    test('a message that its reader cannot handle is reported and skipped', async () => {
      await ensureStream(bus, 'outcomes', settings);
      await append(1);
      const errors: unknown[] = [];
      const follower = new Follower(bus, {
        stream: 'OUTCOMES',
        onMessage: () => {
          throw new TypeError('unreadable');
        },
        onError: (error) => errors.push(error),
      });
      await waitFor('the report', () => errors.length === 1);
      expect(follower.position).toBe(1);
      await follower.stop();
    });
  });

  describe('streams', () => {
    test('a limit is raised and never lowered, so that no waiting message is deleted', async () => {
      await ensureStream(bus, 'kanban', { replicas: 1, kanbanMaxMessages: 5 });
      for (const id of ['1', '2', '3', '4']) await bus.publisher.publish(`tps.kanban.a.1.${id}`, '{}');
      await ensureStream(bus, 'kanban', { replicas: 1, kanbanMaxMessages: 2 });
      const jsm = await managerOf(bus);
      expect(await jsm.streams.info('KANBAN')).toMatchObject({
        config: { max_msgs: 5 },
        state: { messages: 4 },
      });
      await ensureStream(bus, 'kanban', { replicas: 1, kanbanMaxMessages: 9 });
      expect((await jsm.streams.info('KANBAN')).config.max_msgs).toBe(9);
    });

    test('outcomes are kept as long as their owner says, whoever created the stream, and never shorter than before', async () => {
      const hours = (count: number): StreamSettings => ({ replicas: 1, outcomesMaxAgeMs: count * 3_600_000 });
      const kept = async (): Promise<number> =>
        (await (await managerOf(bus)).streams.info('OUTCOMES')).config.max_age / 3.6e12;
      await createStream(bus, 'outcomes', hours(24));
      await ensureStream(bus, 'outcomes', hours(48));
      expect(await kept()).toBe(48);
      await ensureStream(bus, 'outcomes', hours(1));
      await createStream(bus, 'outcomes', hours(72));
      expect(await kept()).toBe(48);
    });

    test('the log of outcomes is compressed by a server that can, also when it was not before', async () => {
      const jsm = await managerOf(bus);
      const compression = async (): Promise<string | undefined> =>
        (await jsm.streams.info('OUTCOMES')).config.compression;
      const isOld = /^2\.[0-9]\./.test(bus.nc.info!.version);
      await jsm.streams.add({ name: 'OUTCOMES', subjects: ['tps.outcomes.>'] });
      await ensureStream(bus, 'outcomes', settings);
      expect(await compression()).toBe(isOld ? undefined : 's2');
      await jsm.streams.delete('OUTCOMES');
      await createStream(bus, 'outcomes', settings);
      expect(await compression()).toBe(isOld ? undefined : 's2');
    });

    test('replicas can create a stream at the same moment', async () => {
      await Promise.all([1, 2, 3].map(() => ensureStream(bus, 'kanban', settings)));
      await Promise.all([1, 2, 3].map(() => ensureLanes(bus, 'a')));
      const names: string[] = [];
      for await (const { name } of (await managerOf(bus)).consumers.list('KANBAN')) names.push(name);
      expect(names.sort()).toEqual(['a_1', 'a_2', 'a_3', 'a_4']);
    });

    test('a lane gets the lease it is asked for, also when it exists and has signals in flight', async () => {
      await ensureStream(bus, 'kanban', settings);
      const jsm = await managerOf(bus);
      const lane = async (): Promise<[leaseMs: number, inFlight: number]> => {
        const { config, num_ack_pending } = await jsm.consumers.info('KANBAN', 'a_3');
        return [(config.ack_wait ?? 0) / 1e6, num_ack_pending];
      };
      await ensureLanes(bus, 'a');
      expect(await lane()).toEqual([8_000, 0]);
      await bus.publisher.publish(bus.names.subjects.work('a', 3, 'x'), '{}');
      const pull = (): Promise<Msg> =>
        bus.nc.request('$JS.API.CONSUMER.MSG.NEXT.KANBAN.a_3', '{"batch":1}', TAKE);
      await pull();
      await ensureLanes(bus, 'a', 300_000);
      expect(await lane()).toEqual([300_000, 1]);
      await ensureLanes(bus, 'a', 2_000);
      expect(await lane()).toEqual([2_000, 1]);
      // The lease of a signal in flight is the new one, too.
      expect(parseDelivery((await pull()).reply ?? '')).toMatchObject({ deliveries: 2 });
    });

    test('a prefix separates fleets on one broker', async () => {
      const other = await connectBus({ url: server.url, name: 'other', streamPrefix: 'blue_' });
      await Promise.all([ensureStream(bus, 'kanban', settings), ensureStream(other, 'kanban', settings)]);
      await other.publisher.publish(other.names.subjects.work('a', 1, 'x'), '{}');
      const jsm = await managerOf(bus);
      expect((await jsm.streams.info('KANBAN')).state.messages).toBe(0);
      expect((await jsm.streams.info('blue_KANBAN')).state.messages).toBe(1);
      await other.close();
    });
  });
});
