import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { Certificate, RabbitServer, waitFor } from '@tps/testkit';
import { BackupLink, type BackupLinkOptions } from './link';

jest.setTimeout(120_000);

const log = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };

RabbitServer.describe('the link to RabbitMQ', () => {
  let rabbit: RabbitServer;
  const links: BackupLink[] = [];
  beforeAll(async () => {
    rabbit = await RabbitServer.start();
  }, 90_000);
  afterAll(async () => {
    for (const link of links) await link.close();
    await rabbit?.stop();
  });

  async function open(given: Partial<BackupLinkOptions> = {}): Promise<BackupLink> {
    const fixed = { url: rabbit.url, queue: 'backup', maxLength: 3, name: 'test' };
    const link = await BackupLink.open({
      ...fixed,
      log: log as unknown as BackupLinkOptions['log'],
      ...given,
    });
    links.push(link);
    return link;
  }
  const connected = (link: BackupLink): Promise<unknown> =>
    waitFor('the connection', () => link.connected, { limitMs: 30_000 });
  function put(link: BackupLink, text: string): Promise<void> {
    return new Promise((done, reject) => {
      link.channel?.sendToQueue('backup', Buffer.from(text), { persistent: true }, (error: Error | null) =>
        error ? reject(error) : done(),
      );
    });
  }

  test('the queue keeps messages over a kill, and refuses more than its limit', async () => {
    const link = await open();
    await connected(link);
    for (const text of ['1', '2', '3']) await put(link, text);
    const refused = await waitFor('a refusal', () =>
      put(link, 'more').then(
        () => null,
        (error: Error) => error,
      ),
    );
    expect(refused.message).toBe('message nacked');
    await rabbit.writeQueuesDown();
    await rabbit.kill();
    await waitFor('the loss to be noticed', () => !link.connected);
    await rabbit.restart();
    await connected(link);
    expect(await link.waiting()).toBeGreaterThanOrEqual(3);
  });

  test('goes over TLS to a broker that the given certificates vouch for, and to no other', async () => {
    const certificate = await Certificate.make();
    // RabbitMQ's own TLS listener would do the same: end TLS and speak AMQP inside.
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
    for (const link of links.splice(-2)) await link.close();
    front.close();
    await certificate.remove();
  });

  test('a queue that exists is used as it is, whatever limit is asked for', async () => {
    const link = await open({ maxLength: 1_000 });
    await connected(link);
    expect(await link.waiting()).toBeGreaterThanOrEqual(3);
  });

  test('one consumer at a time is given messages; when it goes the next one is', async () => {
    const given: string[] = [];
    const consumer = (name: string): Promise<BackupLink> =>
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

  test('it can be opened while RabbitMQ is away, and whatever ends the channel is got over', async () => {
    await rabbit.kill('SIGTERM');
    const link = await open();
    expect(link.connected).toBe(false);
    await expect(link.waiting()).rejects.toThrow('not connected');
    await rabbit.restart();
    await connected(link);
    const before = link.channel;
    await link.channel?.checkQueue('no such queue').catch(() => undefined);
    await waitFor('another channel', () => link.channel && link.channel !== before);
  });
});
