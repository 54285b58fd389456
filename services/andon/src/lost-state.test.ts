import { managerOf } from '@tps/bus';
import type { AndonCall, AndonEvent, ReplyOf, RequestOf } from '@tps/contracts';
import { HttpReceiver, waitFor } from '@tps/testkit';
import { Rig } from './rig.fixture';

jest.setTimeout(60_000);

describe('after the broker lost', () => {
  let rig: Rig;
  let receiver: HttpReceiver;
  beforeEach(async () => {
    receiver = await HttpReceiver.start();
    rig = await Rig.start();
    await rig.andon('one', { TPS_ANDON_WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/` });
  });
  afterEach(async () => {
    await rig.close();
    await receiver.stop();
  });

  const stop = async (): Promise<AndonCall> => {
    const request: RequestOf<'pull'> = { signal_type: 'press', mode: 'stop', reason: 'noise', by: 'alice' };
    const reply = await rig.ask<ReplyOf<'pull'>>(rig.bus.names.subjects.pull, request);
    if (!('call' in reply)) throw new TypeError(reply.reason);
    return reply.call;
  };
  const resume = (id: string): Promise<ReplyOf<'pull'>> =>
    rig.ask(rig.bus.names.subjects.resume, { id, owner: 'bob', countermeasure: 'oiled it' });
  const history = async (): Promise<AndonEvent[]> => {
    const { items } = await rig.ask<ReplyOf<'history'>>(rig.bus.names.subjects.history, { line: 'press' });
    return items ?? [];
  };
  const isRed = async (): Promise<boolean> => (await rig.board()).lines.press?.colour === 'RED';
  const posted = (text: string): boolean => receiver.received.some(({ body }) => body.includes(text));

  test('everything: a line that a person stopped stays stopped until somebody resumes it', async () => {
    const { id } = await stop();
    await waitFor('the light', isRed);
    await rig.nats.loseStore();
    await waitFor('the connection', () => rig.bus.connected);
    await waitFor('the board', () => rig.board().catch(() => null));
    const bucket = `KV_${rig.bus.names.buckets.stops}`;
    const { streams } = await managerOf(rig.bus);
    const written = async (): Promise<boolean> => (await streams.info(bucket)).state.messages > 0;
    await waitFor('the stop to be written again', () => written().catch(() => false));
    expect((await rig.board()).lines.press).toMatchObject({ colour: 'RED', stopped: true, andon_id: id });
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
    await (await managerOf(rig.bus)).streams.delete(rig.bus.names.streams.andon);
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
    await (await managerOf(rig.bus)).streams.delete(`KV_${rig.bus.names.buckets.stops}`);
    expect(await stop()).toMatchObject({ id });
    expect(await resume(id)).toMatchObject({ call: { id } });
  });
});
