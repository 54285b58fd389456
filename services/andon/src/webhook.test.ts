import type { ReplyOf, RequestOf } from '@tps/contracts';
import { HttpReceiver, waitFor } from '@tps/testkit';
import { AndonHarness } from './andon-harness.fixture';

jest.setTimeout(30_000);

test('two replicas post every event once and in order, and again until the receiver takes it', async () => {
  const receiver = await HttpReceiver.start();
  const posts = (): { key: unknown; body: Record<string, unknown> }[] =>
    receiver.received.map(({ headers, body }) => ({
      key: headers['idempotency-key'],
      body: JSON.parse(body) as Record<string, unknown>,
    }));
  const harness = await AndonHarness.start();
  try {
    const env = { TPS_ANDON_WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/hook?secret=1` };
    await Promise.all([harness.andon('one', env), harness.andon('two', env)]);
    await waitFor('the consumer', async () => {
      const info = await harness.ask<object>(`$JS.API.CONSUMER.INFO.ANDON.andon_webhook`);
      return 'name' in info;
    });
    const codes = [500, 503];
    receiver.answer = () => codes.shift() ?? 200;
    const { pull, resume } = harness.bus.names.subjects;
    const request: RequestOf<'pull'> = { signal_type: 'press', mode: 'stop', reason: 'noise', by: 'alice' };
    const reply = await harness.ask<ReplyOf<'pull'>>(pull, request);
    if (!('call' in reply)) throw new TypeError(reply.reason);
    const act = { id: reply.call.id, owner: 'bob', countermeasure: 'oiled it' };
    await harness.ask<ReplyOf<'pull'>>(resume, act);
    const events = (): unknown[] => posts().map(({ body }) => [body.line, body.event]);
    const ofPress = (): unknown[] => events().filter((event) => (event as string[])[0] === 'press');
    await waitFor('all of it', () => ofPress().length >= 5, { limitMs: 20_000 });
    expect(ofPress()).toEqual([
      ['press', 'pulled'],
      ['press', 'pulled'],
      ['press', 'pulled'],
      ['press', 'resumed'],
      ['press', 'changed'],
    ]);
    const keys = posts().map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length - 2);
    expect(posts()[0]?.body).toMatchObject({
      ...{ id: reply.call.id, colour: 'RED', text: 'RED press: pulled by alice: noise' },
    });
  } finally {
    await harness.close();
    await receiver.stop();
  }
});
