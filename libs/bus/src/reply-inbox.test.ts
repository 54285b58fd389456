import { NatsServer } from '@tps/testkit';
import { type Bus, connectBus, NoReplyError } from './connect';
import { ReplyInbox } from './reply-inbox';

let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

test('every request gets its own reply, whatever the order in which they come', async () => {
  const held: { respond: (text: string) => void }[] = [];
  bus.nc.subscribe('ask.reversed', {
    callback: (_, msg) => {
      held.push({ respond: () => msg.respond(msg.data) });
      if (held.length === 50) for (const request of held.reverse()) request.respond('');
    },
  });
  const asked = Array.from({ length: 50 }, (_, i) =>
    bus.request('ask.reversed', `${i}`, { timeoutMs: 5_000 }),
  );
  expect((await Promise.all(asked)).map((msg) => msg.string())).toEqual(asked.map((_, i) => `${i}`));
});

test('a request without a listener fails at once, and certainly did not arrive', async () => {
  const asked = bus.request('ask.nobody', '', { timeoutMs: 60_000 });
  await expect(asked).rejects.toMatchObject({ name: 'NoReplyError', undelivered: true });
});

test('a request without a reply fails at its limit, and may have arrived', async () => {
  bus.nc.subscribe('ask.silence', { callback: () => undefined });
  const began = Date.now();
  const error: unknown = await bus.request('ask.silence', '', { timeoutMs: 100 }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(NoReplyError);
  expect(error).toMatchObject({ undelivered: false });
  expect(Date.now() - began).toBeGreaterThanOrEqual(100);
});

test('closing ends the pending requests', async () => {
  const other = await connectBus({ url: nats.url, name: 'other' });
  const asked = other.request('ask.silence', '', { timeoutMs: 60_000 }).catch((error: unknown) => error);
  await other.close();
  expect(await asked).toMatchObject({ undelivered: false });
});

test('a request that is too large to be sent certainly did not arrive', async () => {
  const asked = bus.request('ask.silence', 'x'.repeat(2 * 1024 * 1024), { timeoutMs: 60_000 });
  await expect(asked).rejects.toMatchObject({ name: 'NoReplyError', undelivered: true });
});

test('a closed inbox still keeps its deadlines', async () => {
  const inbox = new ReplyInbox(bus.nc, bus.createInbox());
  inbox.expect(60_000, () => undefined);
  inbox.close();
  expect(await new Promise((resolve) => inbox.expect(10, resolve))).toBeNull();
});
