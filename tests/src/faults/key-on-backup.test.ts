import { NatsServer, RabbitServer, waitFor } from '@tps/testkit';
import { type Answer, Fleet, type SignalAnswer } from '../fleet';

const KEY = 'order-on-the-backup';

RabbitServer.describe('a key whose signal is on the backup', () => {
  let nats: NatsServer;
  let rabbit: RabbitServer;
  let fleet: Fleet;
  beforeAll(async () => {
    [nats, rabbit] = await Promise.all([NatsServer.start(), RabbitServer.start()]);
    fleet = await Fleet.start({ NATS_URL: nats.url, RABBITMQ_URL: rabbit.url });
    await waitFor('the backup to be reachable', async () => {
      const { body } = await fleet.get<{ backup: { reachable: boolean } }>('/kanban');
      return body.backup.reachable;
    });
  }, 150_000);
  afterAll(async () => {
    await fleet?.stop();
    await Promise.all([nats?.stop(), rabbit?.stop()]);
  }, 90_000);

  const post = (): Promise<Answer<SignalAnswer>> =>
    fleet.post('execute', { task: 'demo' }, { headers: { 'idempotency-key': KEY, prefer: 'respond-async' } });

  test('a repeat is the same signal, and the signal runs once', async () => {
    await nats.kill();
    const first = await waitFor('the backup to take the signal', async () => {
      const answer = await post();
      return answer.status === 202 ? answer : null;
    });
    const repeat = await post();
    expect(repeat).toMatchObject({ status: 202, body: { signal_id: first.body.signal_id } });

    await nats.restart();
    const path = `/signal/${first.body.signal_id}`;
    const ended = await waitFor(
      'the outcome',
      async () => {
        const { body } = await fleet.get(path);
        return body.status === 'succeeded' ? body : null;
      },
      { limitMs: 60_000 },
    );
    expect(ended).toMatchObject({ attempt: 1 });
    await waitFor('an empty backup', async () => {
      const { body } = await fleet.get<{ backup: { on_backup: number }; queue_depth: number }>('/kanban');
      return body.backup.on_backup === 0 && body.queue_depth === 0;
    });
    const { body: figures } = await fleet.get('/metrics');
    expect(figures).toMatchObject({ total_processed: 1, superseded: 0 });
    const late = await post();
    expect([late.headers.get('idempotency-replayed'), late.body.signal_id]).toEqual([
      'true',
      first.body.signal_id,
    ]);
  }, 120_000);
});
