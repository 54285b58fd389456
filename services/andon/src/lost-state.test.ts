import { managerOf } from '@tps/bus';
import type { AndonCall, AndonEvent, ReplyOf, RequestOf } from '@tps/contracts';
import { HttpReceiver, waitFor } from '@tps/testkit';
import { AndonHarness } from './andon-harness.fixture';

jest.setTimeout(60_000);

describe('after the broker lost', () => {
  let harness: AndonHarness;
  let receiver: HttpReceiver;
  beforeEach(async () => {
    receiver = await HttpReceiver.start();
    harness = await AndonHarness.start();
    await harness.andon('one', { TPS_ANDON_WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/` });
  });
  afterEach(async () => {
    await harness.close();
    await receiver.stop();
  });

  const stop = async (): Promise<AndonCall> => {
    const request: RequestOf<'pull'> = { signal_type: 'press', mode: 'stop', reason: 'noise', by: 'alice' };
    const reply = await harness.ask<ReplyOf<'pull'>>(harness.bus.names.subjects.pull, request);
    if (!('call' in reply)) throw new TypeError(reply.reason);
    return reply.call;
  };
  const resume = (id: string): Promise<ReplyOf<'pull'>> =>
    harness.ask(harness.bus.names.subjects.resume, { id, owner: 'bob', countermeasure: 'oiled it' });
  const history = async (): Promise<AndonEvent[]> => {
    const { items } = await harness.ask<ReplyOf<'history'>>(harness.bus.names.subjects.history, {
      line: 'press',
    });
    return items ?? [];
  };
  const isRed = async (): Promise<boolean> => (await harness.board()).lines.press?.colour === 'RED';
  const posted = (text: string): boolean => receiver.received.some(({ body }) => body.includes(text));

  test('everything: a line that a person stopped stays stopped until somebody resumes it', async () => {
    const { id } = await stop();
    await waitFor('the light', isRed);
    await harness.nats.loseStore();
    await waitFor('the connection', () => harness.bus.connected);
    await waitFor('the board', () => harness.board().catch(() => null));
    const bucket = `KV_${harness.bus.names.buckets.stops}`;
    const { streams } = await managerOf(harness.bus);
    const written = async (): Promise<boolean> => (await streams.info(bucket)).state.messages > 0;
    await waitFor('the stop to be written again', () => written().catch(() => false));
    expect((await harness.board()).lines.press).toMatchObject({ colour: 'RED', stopped: true, andon_id: id });
    await waitFor(
      'the history to begin with what is red',
      async () => (await history()).at(-1)?.colour === 'RED',
    );
    expect(await resume(id)).toMatchObject({ call: { id, countermeasure: 'oiled it' } });
    await waitFor('the light to change', async () => !(await isRed()));
  });

  test('its history: lights that are not green are in the next one, and the webhook goes on', async () => {
    const { id } = await stop();
    await waitFor('the light', isRed);
    await waitFor('the webhook', () => posted('"event":"pulled"'));
    await (await managerOf(harness.bus)).streams.delete(harness.bus.names.streams.andon);
    await waitFor(
      'the next history',
      async () => (await history()).some(({ event }) => event === 'changed'),
      {
        limitMs: 30_000,
      },
    );
    const keys = receiver.received.map(({ headers }) => headers['idempotency-key']);
    await resume(id);
    await waitFor('the webhook', () => posted('"event":"resumed"'), { limitMs: 20_000 });
    const next = receiver.received.slice(keys.length).map(({ headers }) => headers['idempotency-key']);
    expect(keys.filter((key) => next.includes(key))).toEqual([]);
  });

  test('the bucket of stops: the stop holds, and a call is known to those who ask', async () => {
    const { id } = await stop();
    await (await managerOf(harness.bus)).streams.delete(`KV_${harness.bus.names.buckets.stops}`);
    expect(await stop()).toMatchObject({ id });
    expect(await resume(id)).toMatchObject({ call: { id } });
  });
});
