import type { BackupConnection } from '@tps/backup';
import type { Logger } from '@tps/telemetry';
import { type BackupPublishError, BackupPublisher, type BackupSignal } from './backup-publisher';

const log = { info: jest.fn(), warn: jest.fn() } as unknown as Logger;
/** Two of these exceed the bytes that may wait for confirmation. */
const LARGE: BackupSignal = { id: '1', json: 'x'.repeat(17 * 1024 * 1024), trace: { traceparent: '' } };

type Confirm = (error: Error | null) => void;
/** The last argument is the confirmation. */
type Publish = (...args: unknown[]) => void;
const confirmationIn = (args: unknown[]): Confirm => args.at(-1) as Confirm;

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

const failureOf = (published: Promise<void>): Promise<BackupPublishError> =>
  published.then(
    () => Promise.reject(new Error('published')),
    (error: BackupPublishError) => error,
  );
const confirm: Publish = (...args) => confirmationIn(args)(null);

test('signals that found no channel certainly did not arrive, and do not count as unconfirmed', async () => {
  const { publisher, use } = publisherOn();
  for (let i = 0; i < 2; i += 1) {
    const error = await failureOf(publisher.publish(LARGE));
    expect([error.arrived, error.message]).toEqual([false, expect.stringMatching(/not connected/)]);
  }
  use(confirm);
  await publisher.publish(LARGE);
});

test('signals that a closing channel refuses do not count as unconfirmed, whether or not it confirms them later', async () => {
  const { publisher, use } = publisherOn();
  const confirmations: Confirm[] = [];
  use((...args) => {
    confirmations.push(confirmationIn(args));
    throw new Error('Channel closing');
  });
  for (let i = 0; i < 2; i += 1) {
    const error = await failureOf(publisher.publish(LARGE));
    expect([error.arrived, error.message]).toEqual([false, expect.stringMatching(/Channel closing/)]);
  }
  for (const late of confirmations) late(new Error('channel closed'));
  use(() => undefined);
  // These wait for confirmation: a count below zero would let more of them pass than may wait.
  const waiting = Promise.allSettled([publisher.publish(LARGE), publisher.publish(LARGE)]);
  await expect(publisher.publish(LARGE)).rejects.toThrow('RabbitMQ is too slow');
  await waiting;
});
