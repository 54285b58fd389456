import type { BackupConnection } from '@tps/backup';
import type { Logger } from '@tps/telemetry';
import { type BackupSignal, BackupPublisher } from './backup-publisher';

const log = { info: jest.fn(), warn: jest.fn() } as unknown as Logger;
/** Two of these exceed the bytes that may wait for confirmation. */
const LARGE: BackupSignal = { id: '1', json: 'x'.repeat(17 * 1024 * 1024), trace: { traceparent: '' } };

type Confirm = (error: Error | null) => void;
type Publish = (exchange: string, queue: string, body: Buffer, options: object, confirm: Confirm) => void;

/** A publisher on a connection whose channel can be changed by the test. */
function publisherOn(): { publisher: BackupPublisher; use: (publish: Publish | undefined) => void } {
  const connection = { connected: true, channel: undefined as { publish: Publish } | undefined };
  const publisher = new BackupPublisher(connection as unknown as BackupConnection, 'backup', log);
  publishers.push(publisher);
  return { publisher, use: (publish) => (connection.channel = publish && { publish }) };
}
const publishers: BackupPublisher[] = [];
afterEach(() => {
  for (const publisher of publishers.splice(0)) publisher.close();
});

const confirm: Publish = (_, _queue, _body, _options, done) => done(null);

test('signals that found no channel certainly did not arrive, and do not count as unconfirmed', async () => {
  const { publisher, use } = publisherOn();
  for (let i = 0; i < 2; i += 1) {
    await expect(publisher.publish(LARGE)).rejects.toMatchObject({
      arrived: false,
      message: expect.stringMatching(/not connected/),
    });
  }
  use(confirm);
  await publisher.publish(LARGE);
});

test('signals that a closing channel refuses do not count as unconfirmed, whether or not it confirms them later', async () => {
  const { publisher, use } = publisherOn();
  const confirmations: Confirm[] = [];
  use((_, _queue, _body, _options, done) => {
    confirmations.push(done);
    throw new Error('Channel closing');
  });
  for (let i = 0; i < 2; i += 1) {
    await expect(publisher.publish(LARGE)).rejects.toMatchObject({
      arrived: false,
      message: expect.stringMatching(/Channel closing/),
    });
  }
  for (const late of confirmations) late(new Error('channel closed'));
  use(() => undefined);
  // These wait for confirmation: a count below zero would let more of them pass than may wait.
  const waiting = Promise.allSettled([publisher.publish(LARGE), publisher.publish(LARGE)]);
  await expect(publisher.publish(LARGE)).rejects.toThrow('RabbitMQ is too slow');
  await waiting;
});
