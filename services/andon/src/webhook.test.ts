import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallReply, PullRequest } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { Rig } from './rig.fixture';

jest.setTimeout(30_000);

/** Whoever is to be called: answers with these codes, then with 200. */
class Receiver {
  readonly posts: { headers: IncomingHttpHeaders; body: Record<string, unknown> }[] = [];
  codes: number[] = [];
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        this.posts.push({ headers: request.headers, body: JSON.parse(text) as Record<string, unknown> });
        response.writeHead(this.codes.shift() ?? 200).end();
      });
    }).listen(0, '127.0.0.1');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook?secret=1`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

test('two replicas post every event once and in order, and again until the receiver takes it', async () => {
  const receiver = new Receiver();
  const rig = await Rig.start();
  try {
    const env = { TPS_ANDON_WEBHOOK_URL: receiver.url };
    await Promise.all([rig.andon('one', env), rig.andon('two', env)]);
    await waitFor('the consumer', async () => {
      const info = await rig.ask<object>(`$JS.API.CONSUMER.INFO.ANDON.andon_webhook`);
      return 'name' in info;
    });
    receiver.codes = [500, 503];
    const { pull, resume } = rig.bus.names.subjects;
    const request: PullRequest = { signal_type: 'press', mode: 'stop', reason: 'noise', by: 'alice' };
    const reply = await rig.ask<CallReply>(pull, request);
    if (!('call' in reply)) throw new TypeError(reply.reason);
    const act = { id: reply.call.id, owner: 'bob', countermeasure: 'oiled it' };
    await rig.ask<CallReply>(resume, act);
    const events = (): unknown[] => receiver.posts.map(({ body }) => [body.line, body.event]);
    const ofPress = (): unknown[] => events().filter((event) => (event as string[])[0] === 'press');
    await waitFor('all of it', () => ofPress().length >= 5, { limitMs: 20_000 });
    expect(ofPress()).toEqual([
      ['press', 'pulled'],
      ['press', 'pulled'],
      ['press', 'pulled'],
      ['press', 'resumed'],
      ['press', 'changed'],
    ]);
    const keys = receiver.posts.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(receiver.posts.length - 2);
    expect(receiver.posts[0]?.body).toMatchObject({
      ...{ id: reply.call.id, colour: 'RED', text: 'RED press: pulled by alice: noise' },
    });
  } finally {
    await rig.close();
    receiver.close();
  }
});
