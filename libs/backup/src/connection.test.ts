import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { Certificate, RabbitServer, waitFor } from '@tps/testkit';
import { BackupConnection, type BackupConnectionOptions } from './connection';

jest.setTimeout(120_000);

const log = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };

RabbitServer.describe('the connection to RabbitMQ', () => {
  let rabbit: RabbitServer;
  const connections: BackupConnection[] = [];
  beforeAll(async () => {
    rabbit = await RabbitServer.start();
  }, 90_000);
  afterAll(async () => {
    for (const connection of connections) await connection.close();
    await rabbit?.stop();
  });

  async function open(given: Partial<BackupConnectionOptions> = {}): Promise<BackupConnection> {
    const fixed = { url: rabbit.url, queue: 'backup', maxLength: 3, name: 'test' };
    const connection = await BackupConnection.open({
      ...fixed,
      log: log as unknown as BackupConnectionOptions['log'],
      ...given,
    });
    connections.push(connection);
    return connection;
  }
  const connected = (connection: BackupConnection): Promise<unknown> =>
    waitFor('the connection', () => connection.connected, { limitMs: 30_000 });
  function put(connection: BackupConnection, text: string): Promise<void> {
    return new Promise((done, reject) => {
      connection.channel?.sendToQueue(
        'backup',
        Buffer.from(text),
        { persistent: true },
        (error: Error | null) => (error ? reject(error) : done()),
      );
    });
  }

  test('the queue keeps messages when the broker is killed, and refuses more than its limit', async () => {
    const connection = await open();
    await connected(connection);
    for (const text of ['1', '2', '3']) await put(connection, text);
    const refused = await waitFor('a refusal', () =>
      put(connection, 'more').then(
        () => null,
        (error: Error) => error,
      ),
    );
    expect(refused.message).toBe('message nacked');
    await rabbit.writeQueuesDown();
    await rabbit.kill();
    await waitFor('the loss to be noticed', () => !connection.connected);
    await rabbit.restart();
    await connected(connection);
    expect(await connection.queuedMessages()).toBeGreaterThanOrEqual(3);
  });

  test('connects over TLS only to a broker whose certificate the given CA has signed', async () => {
    const certificate = await Certificate.make();
    // Like RabbitMQ's own TLS listener, this front ends TLS and passes AMQP on.
    const options = { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) };
    const front = createServer(options, (socket) => {
      const back = connect(rabbit.ports.amqp, '127.0.0.1');
      socket.on('error', () => back.destroy()).pipe(back);
      back.on('error', () => socket.destroy()).pipe(socket);
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    const url = `amqps://guest:guest@127.0.0.1:${(front.address() as AddressInfo).port}`;
    await connected(await open({ url, caFile: certificate.cert }));
    log.warn.mockClear();
    const stranger = await open({ url });
    const failed = await waitFor('the refusal', () => log.warn.mock.calls[0] as unknown[]);
    expect([failed[0], String((failed[1] as { error: Error }).error)]).toEqual([
      'no connection to RabbitMQ',
      expect.stringMatching(/certificate/),
    ]);
    expect(stranger.connected).toBe(false);
    await expect(open({ url, caFile: '/nowhere' })).rejects.toThrow(
      /^RABBITMQ_CA_FILE=\/nowhere is not allowed/,
    );
    for (const connection of connections.splice(-2)) await connection.close();
    front.close();
    await certificate.remove();
  });

  test('an existing queue is used with the limit it has', async () => {
    const connection = await open({ maxLength: 1_000 });
    await connected(connection);
    expect(await connection.queuedMessages()).toBeGreaterThanOrEqual(3);
  });

  test('one consumer at a time gets messages, and the next one takes over when it closes', async () => {
    const given: string[] = [];
    const consumer = (name: string): Promise<BackupConnection> =>
      open({
        onOpen: async (channel) => {
          await channel.prefetch(1);
          await channel.consume('backup', () => void given.push(name));
        },
      });
    const first = await consumer('first');
    await connected(first);
    await waitFor('a message', () => given.length === 1);
    const second = await consumer('second');
    await connected(second);
    expect(given).toEqual(['first']);
    await first.close();
    await waitFor('the other to take over', () => given.includes('second'));
    await second.close();
  });

  test('opens while RabbitMQ is away, and recovers from the end of its channel', async () => {
    await rabbit.kill('SIGTERM');
    const connection = await open();
    expect(connection.connected).toBe(false);
    await expect(connection.queuedMessages()).rejects.toThrow('not connected');
    await rabbit.restart();
    await connected(connection);
    const before = connection.channel;
    await connection.channel?.checkQueue('no such queue').catch(() => undefined);
    await waitFor('another channel', () => connection.channel && connection.channel !== before);
  });
});
