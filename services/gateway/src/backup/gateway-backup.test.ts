import { BackupConnection, type ConsumeMessage } from '@tps/backup';
import type { Signal } from '@tps/contracts';
import { RabbitServer, waitFor } from '@tps/testkit';
import { type Reply, type GatewayHarness, startGateway } from '../testing/harness';

jest.setTimeout(60_000);
const QUEUE = 'tps.backup';

RabbitServer.describe('while kanban or NATS is away', () => {
  let rabbit: RabbitServer;
  let gateway: GatewayHarness;
  let link: BackupConnection;

  beforeAll(async () => {
    rabbit = await RabbitServer.start();
    gateway = await startGateway({ RABBITMQ_URL: rabbit.url, TPS_KANBAN_BUFFER: '40' });
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
    link = await BackupConnection.open({ url: rabbit.url, queue: QUEUE, maxLength: 40, name: 'test', log });
    await waitFor('the link', () => link.connected);
    await waitFor('the gateway to reach RabbitMQ', reachable);
    await rabbit.writeQueuesDown();
  }, 90_000);
  beforeEach(async () => {
    gateway.fleet.reset();
    await link.channel?.purgeQueue(QUEUE);
  });
  afterAll(async () => {
    await link?.close();
    await gateway?.stop();
    await rabbit?.stop();
  }, 60_000);

  /** Nobody but the gateway says so while the fake for kanban is away. */
  async function reachable(): Promise<boolean> {
    gateway.fleet.leave('kanban');
    const { body } = await gateway.http.get('/kanban');
    return (body.backup as { reachable?: boolean } | undefined)?.reachable === true;
  }
  const post = (headers: Record<string, string> = {}, body: object = {}): PromiseLike<Reply> =>
    gateway.http
      .post('/signal')
      .set(headers)
      .send({ signal_type: 'execute', payload: {}, ...body });
  async function taken(): Promise<{ signal: Signal; properties: ConsumeMessage['properties'] }> {
    const given: ConsumeMessage[] = [];
    const channel = link.channel!;
    await channel.prefetch(1);
    const { consumerTag } = await channel.consume(QUEUE, (got) => void (got && given.push(got)));
    const message = await waitFor('a message on the backup', () => given[0]);
    channel.ack(message);
    await channel.cancel(consumerTag);
    return { signal: JSON.parse(message.content.toString()) as Signal, properties: message.properties };
  }
  async function timed<T>(task: PromiseLike<T>): Promise<[T, number]> {
    const began = performance.now();
    return [await task, performance.now() - began];
  }

  test('back pressure is no reason to use it', async () => {
    const full = { code: 'KANBAN_FULL', reason: 'full', retry_after_ms: 1_000, accepted: false } as const;
    gateway.fleet.behaviour.enqueue = () => ({ ok: false, ...full });
    expect((await post()).status).toBe(429);
    expect(await link.queuedMessages()).toBe(0);
  });

  test('a signal that kanban does not take is put there, durable and on its trace, and answered as queued', async () => {
    gateway.fleet.leave('kanban');
    const [{ status, body, headers }, ms] = await timed(post());
    expect({ status, body }).toMatchObject({ status: 202, body: { success: null, status: 'queued' } });
    expect(headers.location).toBe(`/signal/${String(body.signal_id)}`);
    expect(ms).toBeLessThan(2_000);
    const { signal, properties } = await taken();
    expect(signal).toMatchObject({ id: body.signal_id, signal_type: 'execute', run: 0, priority: 3 });
    expect(properties).toMatchObject({ messageId: body.signal_id, deliveryMode: 2 });
    expect((properties.headers as Record<string, string>).traceparent).toContain(body.trace_id);
  });

  test('the same for one with a key, whose records cannot be asked; a silent stream; a stream that refuses', async () => {
    gateway.fleet.behaviour.enqueue = () => 'silence';
    const [silent, ms] = await timed(post());
    expect(silent.body.status).toBe('queued');
    expect(ms).toBeLessThan(2_000);
    expect((await taken()).signal.id).toBe(silent.body.signal_id);
    gateway.fleet.behaviour.enqueue = () => ({
      ok: false,
      code: 'NO_BROKER',
      reason: 'insufficient resources',
      retry_after_ms: 1_000,
      accepted: false,
    });
    expect((await post({ prefer: 'respond-async' })).body.status).toBe('queued');
    await taken();
    gateway.fleet.leave('andon');
    const keyed = await post({ 'idempotency-key': 'one' });
    expect(keyed.body.status).toBe('queued');
    expect((await taken()).signal.request_hash).toMatch(/^[0-9a-f]{64}$/);
  });

  test('an unknown id is not said to be unknown while signals wait there, or are on their way from there', async () => {
    const id = '01a20802-8829-77bd-aaf4-aaefa45fd5cf';
    const unknown = async (): Promise<boolean> => (await gateway.http.get(`/signal/${id}`)).status === 404;
    await waitFor('it to be unknown', unknown);
    gateway.fleet.leave('kanban');
    const { body } = await post();
    gateway.fleet.arrive('kanban');
    const view = (): PromiseLike<Reply> => gateway.http.get(`/signal/${String(body.signal_id)}`);
    expect(await view()).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    // From now on kanban has taken it, so RabbitMQ does not count it, and kanban's next heartbeat is still to come.
    await taken();
    expect(await view()).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    await waitFor('it to be unknown', unknown);
  });

  test('it is bounded: beyond its limit a sender gets 429', async () => {
    gateway.fleet.leave('kanban');
    const answers = await Promise.all(Array.from({ length: 60 }, () => post({ prefer: 'respond-async' })));
    const full = await waitFor('a refusal', async () => {
      const answer = await post({ prefer: 'respond-async' });
      return answer.status === 429 ? answer : null;
    });
    expect(full.body.code).toBe('KANBAN_FULL');
    expect(answers.every(({ status }) => status === 202 || status === 429)).toBe(true);
    // Three in a row began the mode: said on the board, and nobody waits for kanban any more.
    const { body } = await gateway.http.get('/kanban');
    expect(body.backup).toMatchObject({ configured: true, reachable: true, active: true });
    expect((body.backup as { on_backup: number }).on_backup).toBeGreaterThanOrEqual(40);
    // kanban is back and has not heard of it yet.
    gateway.fleet.arrive('kanban');
    const heard = await waitFor('the board of kanban', async () => {
      const { body: board } = await gateway.http.get('/kanban');
      return board.stale ? null : board;
    });
    expect(heard.backup).toMatchObject({ active: true });
    gateway.fleet.leave('kanban');
  });

  test('an alarm at RabbitMQ: it takes nothing, that is said at once and of what it was not given, and it ends', async () => {
    await link.channel?.purgeQueue(QUEUE);
    gateway.fleet.leave('kanban');
    await rabbit.control('set_vm_memory_high_watermark', '0');
    // RabbitMQ tells only publishers, so a signal on its way at that moment may have arrived.
    const [refused, ms] = await waitFor('a sure refusal', async () => {
      const [answer, took] = await timed(post());
      expect(took).toBeLessThan(2_000);
      return answer.body.accepted === false ? ([answer, took] as const) : null;
    });
    expect(refused).toMatchObject({ status: 503, body: { code: 'NO_BROKER' } });
    expect(refused.body.message).toContain('RabbitMQ blocks publishers');
    expect(ms).toBeLessThan(1_000);
    expect(await reachable()).toBe(false);
    await rabbit.control('set_vm_memory_high_watermark', '0.4');
    await waitFor('a signal to be taken', async () => (await post()).body.status === 'queued');
    await link.channel?.purgeQueue(QUEUE);
  });

  test('RabbitMQ away: kanban is asked all the same, and both away is an honest refusal within a second', async () => {
    await rabbit.kill();
    await waitFor('kanban to be asked', async () => (await post()).body.status === 'succeeded');
    await gateway.nats.kill();
    const [refused, ms] = await timed(post());
    expect(refused).toMatchObject({ status: 503, body: { code: 'NO_BROKER', accepted: false } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(ms).toBeLessThan(1_000);
    expect((await gateway.http.get('/health/ready')).status).toBe(503);
    // Nothing is known of an earlier request with its key, and this one was sent to nobody.
    const [keyed, keyedMs] = await timed(post({ 'idempotency-key': 'one' }));
    expect(keyed).toMatchObject({ status: 503, body: { code: 'NO_BROKER', accepted: false } });
    expect(keyed.body.message).toContain('earlier request with this key');
    expect(keyedMs).toBeLessThan(1_000);
  });

  test('NATS still away, RabbitMQ back: the gateway is ready and takes signals, with and without a key', async () => {
    await rabbit.restart();
    await waitFor(
      'the gateway to be ready',
      async () => (await gateway.http.get('/health/ready')).status === 200,
      {
        limitMs: 20_000,
      },
    );
    await waitFor('the link', () => link.connected, { limitMs: 20_000 });
    await link.channel?.purgeQueue(QUEUE);
    expect((await gateway.http.get('/health')).status).toBe(200);
    for (const headers of [{}, { 'idempotency-key': 'two' }, { prefer: 'respond-async' }]) {
      const [{ status, body }, ms] = await timed(post(headers));
      expect({ status, body }).toMatchObject({ status: 202, body: { status: 'queued' } });
      expect(ms).toBeLessThan(1_000);
      expect((await taken()).signal.id).toBe(body.signal_id);
    }
    await gateway.nats.restart();
    await waitFor(
      'the gateway to be connected',
      async () => (await gateway.http.get('/jidoka')).status === 200,
      {
        limitMs: 20_000,
      },
    );
  });
});
