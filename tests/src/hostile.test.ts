import { connect, type Socket } from 'node:net';
import { waitFor } from '@tps/testkit';
import { Fleet } from './fleet';
import { get, HOSTILE, payload, post } from './hostile-requests';

const TOKENS = { AUTH_ENABLED: 'true', AUTH_TOKEN: 'client-token', OPERATOR_TOKEN: 'operator-token' };

interface Answer {
  status: number;
  head: string;
  body: string;
}

/** The first answer on a connection; null when it is closed without one. */
function parse(text: string): Answer | null {
  // `100 Continue` and the like come before the answer.
  const rest = text.replace(/^HTTP\/1\.1 1\d\d [^]*?\r\n\r\n/, '');
  const end = rest.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = rest.slice(0, end);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  const body = rest.slice(end + 4);
  if (Buffer.byteLength(body) < length) return null;
  return { status: Number(head.split(' ')[1]), head, body: body.slice(0, length) };
}

/** Is the fleet as well after hostile requests as before? */
describe('hostile requests', () => {
  let fleet: Fleet;
  let port: number;
  let gateway: number;
  const slow: { socket: Socket; heard: () => string }[] = [];

  beforeAll(async () => {
    fleet = await Fleet.start(TOKENS);
    port = Number(new URL(fleet.url).port);
    gateway = await fleet.pid('gateway-1');
    // They take as long as the gateway lets them: the rest is tested meanwhile.
    slow.push(open('POST /signal HTTP/1.1\r\nHost: x\r\nX-Slow: '));
    slow.push(open(post('{"signal_type"', 'Content-Length: 37')));
    slow.push(open(''));
  }, 90_000);
  afterAll(async () => {
    for (const { socket } of slow) socket.destroy();
    await fleet?.stop();
  }, 60_000);

  function open(bytes: string | Buffer): { socket: Socket; heard: () => string } {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined);
    return { socket, heard: () => text };
  }

  async function exchange(bytes: string | Buffer): Promise<Answer | null> {
    const { socket, heard } = open(bytes);
    await waitFor('an answer or the end', () => parse(heard()) !== null || socket.closed);
    socket.destroy();
    return parse(heard());
  }

  test.each(HOSTILE)('$name', async ({ bytes, answer }) => {
    const got = await exchange(bytes);
    if (answer === 'closed') return expect(got).toBeNull();
    const [status, code] = answer;
    expect(got?.status).toBe(status);
    expect(got?.head).not.toMatch(/set-cookie|x-powered-by|server:/i);
    if (!code) return;
    expect(got?.head).toMatch(/content-type: application\/problem\+json/i);
    expect(JSON.parse(got!.body)).toMatchObject({ success: false, code, status });
    expect(got?.body).not.toMatch(/node_modules|\.js:\d|root:/);
  });

  test('odd but sound requests are done: a lone surrogate, NUL in a string, two requests on one connection', async () => {
    const sent = payload('{"a":"\\ud800","b":"\\u0000"}').toString();
    const { socket, heard } = open(sent + sent + get('/info', 'Connection: close'));
    await waitFor('all answers', () => socket.closed);
    expect([...heard().matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)).toEqual([
      '202',
      '202',
      '200',
    ]);
  });

  test('hundreds of idle connections keep nobody out', async () => {
    const idle = Array.from({ length: 300 }, () => open('GET '));
    expect((await exchange(get('/info')))?.status).toBe(200);
    for (const { socket } of idle) socket.resetAndDestroy();
  });

  test('a client that is too slow is told so, and let go', async () => {
    const [headers, body, silent] = slow;
    for (const { socket, heard } of [headers!, body!]) {
      await waitFor('the end', () => socket.closed, { limitMs: 30_000 });
      expect(parse(heard())).toMatchObject({ status: 408 });
      expect(heard()).toContain('REQUEST_TIMEOUT');
    }
    await waitFor('the end of silence', () => silent!.socket.closed, { limitMs: 30_000 });
  }, 60_000);

  test('the fleet is healthy, its gateway never restarted, and no line of any log holds a token', async () => {
    await fleet.healthy();
    expect(await fleet.pid('gateway-1')).toBe(gateway);
    const headers = { authorization: 'Bearer client-token' };
    expect((await fleet.post('execute', {}, { headers })).body.status).toBe('succeeded');
    const { body } = await fleet.get('/metrics', headers);
    // Two odd ones and this: nothing else was accepted.
    expect(body).toMatchObject({ total_processed: 3, error_count: 0 });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const logs = await fleet.logs();
    expect(logs).toContain('"message":"started"');
    expect(logs).not.toMatch(/client-token|operator-token|polluted/);
  }, 60_000);
});
