import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { type Bus, connectBus } from '@tps/bus';
import { BOARD_SERVICES, SERVICES } from '@tps/contracts';
import { Certificate, HttpReceiver, NatsServer, waitFor } from '@tps/testkit';
import { Fleet } from './fleet';
import { OwnWorkerProcess } from './own-worker-process';

const AUTHORIZATION = resolve(__dirname, '../../deploy/nats/authorization.conf');
const PASSWORD = 'well-kept';
const TOKENS = { AUTH_ENABLED: 'true', AUTH_TOKEN: 'shop:client-token', OPERATOR_TOKEN: 'operator-token' };
const client = { authorization: 'Bearer client-token' };
const operator = { authorization: 'Bearer operator-token' };

/** Does the fleet work over TLS while each service may do at NATS only what deploy/nats says? */
describe('least permissions', () => {
  let folder: string;
  let certificate: Certificate;
  let nats: NatsServer;
  let fleet: Fleet;
  /** Receives the posts of the webhook. */
  let receiver: HttpReceiver;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tps-authorization-'));
    certificate = await Certificate.make();
    const config = join(folder, 'nats.conf');
    await writeFile(
      config,
      `include "${relative(folder, AUTHORIZATION)}"
       tls { cert_file: "${certificate.cert}", key_file: "${certificate.key}" }`,
    );
    const users = [...SERVICES, 'sys'].map((user) => [`TPS_NATS_${user.toUpperCase()}_PASSWORD`, PASSWORD]);
    nats = await NatsServer.start({ config, env: Object.fromEntries(users) as Record<string, string> });
    receiver = await HttpReceiver.start();
    fleet = await Fleet.start({
      NATS_URL: nats.url,
      NATS_PASSWORD: PASSWORD,
      NATS_CA_FILE: certificate.cert,
      TPS_CB_THRESHOLD: '3',
      TPS_CB_TIMEOUT: '1',
      TPS_NUM_WORKERS: '2',
      TPS_ANDON_WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`,
      ...TOKENS,
    });
  }, 90_000);
  afterAll(async () => {
    await fleet?.stop();
    await nats?.stop();
    await receiver?.stop();
    await certificate?.remove();
    await rm(folder, { recursive: true });
  }, 60_000);

  const posted = (text: string): boolean => receiver.received.some(({ body }) => body.includes(text));
  const post = async (type: string, payload: object): Promise<string> =>
    (await fleet.post(type, payload, { headers: client })).body.status;
  const send = (payload: object): Promise<string> => fleet.send('execute', payload, client);
  const outcome = async (id: string): Promise<unknown> =>
    (await fleet.get(`/signal/${id}`, { prefer: 'wait=10', ...client })).body.status;
  const violations = (): string[] => nats.output.split('\n').filter((line) => /Violation/.test(line));
  const listed = async (status: string): Promise<string[]> => {
    const { body } = await fleet.get<{ items: { signal_id: string }[] }>(`/signals?status=${status}`, client);
    return body.items.map(({ signal_id }) => signal_id);
  };

  test('signals of every type, retries, dead letters, boards', async () => {
    await fleet.healthy();
    expect(await post('execute', {})).toBe('succeeded');
    expect(await post('report', {})).toBe('succeeded');
    expect(await post('validate', { data: 1, chaos: { fail: 'transient', fail_first: 1 } })).toBe(
      'succeeded',
    );
    expect(await post('validate', { chaos: { fail: 'defect' } })).toBe('failed');
    for (const board of BOARD_SERVICES) {
      expect((await fleet.get(`/${board}`, client)).status).toBe(200);
    }
    expect(await fleet.run('status')).toContain('"status": "running"');
  });

  test('only an operator cancels a signal that has not started', async () => {
    const busy = await Promise.all([1, 2].map(() => send({ chaos: { sleep_ms: 1_000 } })));
    const waiting = await send({});
    expect((await fleet.call('DELETE', `/signal/${waiting}`, undefined, client)).status).toBe(403);
    expect((await fleet.call('DELETE', `/signal/${waiting}`, undefined, operator)).status).toBe(200);
    expect(await outcome(waiting)).toBe('cancelled');
    for (const id of busy) expect(await outcome(id)).toBe('succeeded');
  });

  test('a killed worker and a killed broker cost nothing', async () => {
    const ids = [await send({ chaos: { sleep_ms: 2_000, fail_first: 0 } })];
    await fleet.kill('worker-1');
    ids.push(await send({}));
    await nats.kill();
    await nats.restart();
    ids.push(await waitFor('a signal to be accepted again', () => send({}), { limitMs: 30_000 }));
    for (const id of ids) {
      const done = async (): Promise<boolean> => (await outcome(id)) === 'succeeded';
      await waitFor('the outcome', done, { limitMs: 30_000 });
    }
  }, 60_000);

  test('a signal in backoff is listed as retrying', async () => {
    await waitFor('one between two attempts', async () => {
      const id = await send({ chaos: { fail: 'transient', fail_first: 1 } });
      return (await listed('retrying')).includes(id);
    });
    await waitFor('the rest', async () => (await listed('queued,held,running,retrying')).length === 0);
  }, 30_000);

  test('events are sent live, and posted to the webhook', async () => {
    const pulled = { signal_type: 'validate', mode: 'call', reason: 'the live one' };
    const { body } = await fleet.call<{ id: string }>('POST', '/andon/cord', pulled, operator);
    const stream = await fetch(`${fleet.url}/andon/events?after=0`, {
      headers: client,
      signal: AbortSignal.timeout(15_000),
    });
    let heard = '';
    for await (const chunk of stream.body!) {
      heard += Buffer.from(chunk as Uint8Array).toString();
      // As an event of the log: the board names open calls too.
      if (/^event: andon\ndata: .*the live one/m.test(heard) && heard.includes('event: board')) break;
    }
    // Without a place to begin, the gateway asks for the last one.
    await (await fetch(`${fleet.url}/andon/events`, { headers: client })).body?.cancel();
    await waitFor('the post', () => posted('the live one'));
    await fleet.call('POST', `/andon/${body.id}/resume`, { owner: 'me', countermeasure: 'none' }, operator);
    // One is out at a time: the next comes only after the acknowledgement of the one before.
    await waitFor('the next post', () => posted('"resumed"'));
  }, 30_000);

  test('an operator may call all operator routes', async () => {
    const call = async (method: string, path: string, body?: object): Promise<number> =>
      (await fleet.call(method, path, body, operator)).status;
    const pulled = { signal_type: 'report', mode: 'stop', reason: 'a look' };
    const { body } = await fleet.call<{ id: string }>('POST', '/andon/cord', pulled, operator);
    expect(await call('POST', `/andon/${body.id}/ack`, { owner: 'me' })).toBe(200);
    expect(await call('POST', `/andon/${body.id}/resume`, { owner: 'me', countermeasure: 'none' })).toBe(200);
    expect(await call('PUT', '/kanban/report', { cards: 1 })).toBe(200);
    expect(await call('PUT', '/heijunka/report', { max_per_s: 100 })).toBe(200);
    for (const path of ['/kanban/dead', '/andon/history', '/kanban/redrives']) {
      expect([path, await call('GET', path)]).toEqual([path, 200]);
    }
    expect(await call('POST', '/kanban/dead/redrive', { filter: { type: 'validate' } })).toBeLessThan(300);
    expect(await call('DELETE', '/kanban/dead?type=execute')).toBe(200);
    expect(await post('report', {})).toBe('succeeded');
  }, 60_000);

  test('a type is retired and comes back', async () => {
    const remove = (headers: Record<string, string>): Promise<{ status: number }> =>
      fleet.call('DELETE', '/types/count-words', undefined, headers);
    const own = await OwnWorkerProcess.start(fleet, 'own-1');
    await waitFor('its type', async () => (await post('count-words', { text: 'a b' })) === 'succeeded');
    expect((await remove(operator)).status).toBe(409);
    await own.stop();
    expect((await remove(client)).status).toBe(403);
    await waitFor('the type to be retired', async () => (await remove(operator)).status === 200);
    expect((await fleet.get('/types', client)).status).toBe(200);
    const again = await OwnWorkerProcess.start(fleet, 'own-2');
    await waitFor('its type', async () => (await post('count-words', { text: 'a b' })) === 'succeeded');
    await again.stop();
  }, 60_000);

  test('no service asked for more than it may', () => {
    // The log is kept from its beginning: nothing has been cut off.
    expect(nats.output).toContain('Starting nats-server');
    expect(violations()).toEqual([]);
  });

  describe('refuses', () => {
    const tls = (): { caFile: string } => ({ caFile: certificate.cert });
    const as = (user: string): Promise<Bus> =>
      connectBus({ url: nats.url, name: 'intruder', access: { user, password: PASSWORD, tls: tls() } });

    test.each([
      ['gateway', 'tps.outcomes.batch'],
      ['gateway', 'tps.kanban.execute.1.some-id'],
      ['gateway', '$KV.tps_circuits.execute'],
      ['kaizen', '$JS.API.STREAM.DELETE.OUTCOMES'],
      ['kaizen', '$JS.API.STREAM.PURGE.OUTCOMES'],
      ['kanban', '$JS.API.STREAM.PURGE.KANBAN'],
      ['worker', '$KV.tps_circuits.execute'],
      ['worker', 'tps.jidoka.admit'],
      ['heijunka', '$JS.ACK.KANBAN.execute_3.1.1.1.1.0'],
    ])('no acknowledgement comes to %s for %s', async (user, subject) => {
      const bus = await as(user);
      const published = bus.publisher.publish(subject, '[]', { timeoutMs: 300 });
      await expect(published).rejects.toThrow('no acknowledgement in time');
      expect(violations().join()).toContain(`Publish Violation - User "${user}", Subject "${subject}"`);
      await bus.close();
    });

    test.each([
      ['gateway', '_INBOX_worker.>'],
      ['worker', '_INBOX_gateway.>'],
      ['kaizen', 'tps.kanban.>'],
      ['andon', '>'],
    ])('that %s listens on %s', async (user, subject) => {
      const bus = await as(user);
      const heard = new Promise<Error | null>((resolve) => {
        bus.nc.subscribe(subject, { callback: (error) => resolve(error) });
      });
      expect(String(await heard)).toMatch(/Permissions Violation for Subscription/);
      await bus.close();
    });

    test('a wrong password, with a line that says so and not the password', async () => {
      const main = resolve(__dirname, '../../services/kaizen/dist/main.js');
      const env = { ...fleet.environment, METRICS_PORT: 'disabled', NATS_PASSWORD: 'guessed-wrong' };
      const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await waitFor('a line', () => said.includes('Authorization Violation'));
      expect(said).toMatch(/"level":"warn".*"cannot connect"/);
      expect(said).not.toContain('guessed-wrong');
      child.kill('SIGTERM');
      await new Promise((gone) => child.once('exit', gone));
    });
  });
});
