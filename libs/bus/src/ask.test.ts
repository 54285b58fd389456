import { MessageError, ServiceError } from '@tps/contracts';
import { NatsServer } from '@tps/testkit';
import { ask, askBoard } from './ask';
import { type Bus, connectBus, NoReplyError } from './connect';

const limit = { timeoutMs: 300 };

describe('asking a service', () => {
  let server: NatsServer;
  let bus: Bus;
  const unreadable: string[] = [];
  beforeAll(async () => {
    server = await NatsServer.start();
    const onUnreadable = (error: Error): void => void unreadable.push(error.message);
    bus = await connectBus({ url: server.url, name: 'test', onUnreadable });
  });
  afterAll(async () => {
    await bus.close();
    await server.stop();
  });
  beforeEach(() => unreadable.splice(0));
  /** Answers the next request on this subject. */
  const answer = (subject: string, reply: string): { asked: () => unknown } => {
    let asked: unknown;
    bus.nc.subscribe(subject, {
      max: 1,
      callback: (_, msg) => {
        asked = msg.json();
        msg.respond(reply);
      },
    });
    return { asked: () => asked };
  };
  const { find, board } = { find: 'tps.kanban.find', board: 'tps.board.jidoka' };

  test('sends the version and returns the reply, with fields of a later version', async () => {
    const { asked } = answer(find, '{"found":null,"v":1,"more":true}');
    expect(await ask(bus, 'find', { id: 'x' }, limit)).toEqual({ found: null, v: 1, more: true });
    expect(asked()).toEqual({ v: 1, id: 'x' });
    answer(board, '{"v":1,"circuits":{}}');
    expect(await askBoard(bus, 'jidoka', limit)).toEqual({ v: 1, circuits: {} });
  });

  test.each([
    ['no JSON', 'reply to find: not JSON'],
    ['{"found":{}}', 'reply to find: /found/signal is missing'],
    ['{"v":2,"found":null}', 'reply to find: /v is 2: expected version 0 or 1'],
    ['null', 'reply to find: the message is null: expected object'],
  ])('reports the reply %s and fails', async (reply, message) => {
    answer(find, reply);
    await expect(ask(bus, 'find', { id: 'x' }, limit)).rejects.toThrow(MessageError);
    expect(unreadable).toEqual([message]);
  });

  test('a service that cannot answer says why', async () => {
    answer(find, '{"error":"the queue is away"}');
    const failed = ask(bus, 'find', { id: 'x' }, limit);
    await expect(failed).rejects.toThrow(new ServiceError('the queue is away'));
    expect(unreadable).toEqual([]);
  });

  test('silence and a missing listener are distinguished', async () => {
    await expect(ask(bus, 'find', { id: 'x' }, limit)).rejects.toMatchObject({ undelivered: true });
    const silent = bus.nc.subscribe(board);
    await bus.nc.flush();
    const asked = askBoard(bus, 'jidoka', limit);
    await expect(asked).rejects.toBeInstanceOf(NoReplyError);
    await expect(asked).rejects.toMatchObject({ undelivered: false });
    silent.unsubscribe();
  });
});
