import { waitFor } from '@tps/testkit';
import { Fleet } from './fleet';

interface Health {
  circuits: Record<string, { state: string; reason?: string; andon_id?: string }>;
}
interface Call {
  id: string;
  rule: string;
  mode: string;
  reason: string;
  owner?: string;
}

/** Does a stopped line stay stopped whoever dies, and do two of each behave as one? */
describe('a line that stands still', () => {
  let fleet: Fleet;
  const gateways = (): string[] => {
    const { protocol, hostname, port } = new URL(fleet.url);
    return [fleet.url, `${protocol}//${hostname}:${Number(port) + 1}`];
  };
  const refusalAt = async (gateway: string, type: string, code: string): Promise<string | undefined> => {
    // A signal accepted just before the stop is paused, so nobody should wait for its outcome for long. A timed circuit
    // refuses only senders that wait.
    const body = JSON.stringify({ signal_type: type, payload: { data: 1 }, timeout_ms: 1_000 });
    const prefer = code === 'CIRCUIT_OPEN' ? {} : { prefer: 'respond-async' };
    const headers = { 'content-type': 'application/json', ...prefer };
    const response = await fetch(`${gateway}/signal`, { method: 'POST', headers, body });
    const answer = (await response.json()) as { code?: string };
    return answer.code;
  };
  const calls = async (): Promise<Call[]> =>
    (await fleet.get<{ calls: Call[] }>('/andon', { accept: 'application/json' })).body.calls;

  beforeAll(async () => {
    const two = { TPS_REPLICAS_GATEWAY: '2', TPS_REPLICAS_JIDOKA: '2', TPS_REPLICAS_ANDON: '2' };
    fleet = await Fleet.start({ ...two, TPS_CB_THRESHOLD: '3', TPS_CB_TIMEOUT: '5' });
  }, 120_000);
  afterAll(() => fleet?.stop(), 60_000);

  const refusedEverywhere = (type: string, code: string): Promise<unknown> =>
    waitFor(`both to refuse ${type}`, async () => {
      const codes = await Promise.all(gateways().map((gateway) => refusalAt(gateway, type, code)));
      return codes.every((each) => each === code);
    });
  const resume = (id: string): Promise<unknown> =>
    waitFor('the resume', async () => {
      const act = { owner: 'bob', countermeasure: 'mended' };
      const { status, body } = await fleet.call('POST', `/andon/${id}/resume`, act);
      if (status === 503) return false;
      expect({ status, body }).toMatchObject({ status: 200 });
      return true;
    });

  test('the same defect in three signals is refused at every gateway within half a second', async () => {
    for (let n = 0; n < 3; n += 1) {
      const { body } = await fleet.post('execute', { chaos: { fail: 'defect' } });
      expect(body).toMatchObject({ status: 'failed' });
    }
    const failed = Date.now();
    await refusedEverywhere('execute', 'LINE_STOPPED');
    expect(Date.now() - failed).toBeLessThan(500);
    expect((await fleet.post('validate', { data: 1 })).body.status).toBe('succeeded');
  }, 60_000);

  test('SIGKILL of each part changes nothing about a stop, be it by jidoka or by people', async () => {
    const cord = { signal_type: 'validate', mode: 'stop', reason: 'drill', by: 'alice', intake: 'hold' };
    const { body: pulled, status } = await fleet.call<Call>('POST', '/andon/cord', cord);
    expect({ status, pulled }).toMatchObject({ status: 201, pulled: { mode: 'stop' } });
    const stops = await waitFor('both calls', async () => {
      const open = await calls();
      return open.length === 2 ? open : null;
    });
    for (const { id } of stops) {
      expect((await fleet.call('POST', `/andon/${id}/ack`, { owner: 'bob' })).status).toBe(200);
    }
    await waitFor('the owners', async () => (await calls()).every(({ owner }) => owner === 'bob'));
    const held = await waitFor('intake', () => fleet.send('validate', { data: 1 }).catch(() => null));
    const stopped = async (): Promise<object> => {
      const { execute, validate } = (await fleet.get<Health>('/health')).body.circuits;
      return { execute, validate };
    };
    const [before, owned] = [await stopped(), await calls()];
    expect(owned).toMatchObject([
      { rule: 'defect', mode: 'stop', owner: 'bob' },
      { id: pulled.id, mode: 'stop', reason: 'drill', owner: 'bob' },
    ]);
    for (const victim of ['jidoka-1', 'andon-1', 'gateway-1', 'worker-1', 'nats-1']) await fleet.kill(victim);
    await waitFor('the fleet to be back', async () => (await calls()).length === 2, {
      limitMs: 45_000,
      everyMs: 200,
    });
    const lasting = ({ id, reason, owner, mode }: Call): unknown => ({ id, reason, owner, mode });
    expect((await calls()).map(lasting)).toEqual(owned.map(lasting));
    expect(await stopped()).toEqual(before);
    await refusedEverywhere('execute', 'LINE_STOPPED');
    expect((await fleet.get(`/signal/${held}`)).body).toMatchObject({ status: 'held' });
    for (const { id } of stops) await resume(id);
    await waitFor('the outcome', async () => {
      const { body } = await fleet.get(`/signal/${held}`, { prefer: 'wait=5' });
      return body.status === 'succeeded' && body.attempt === 1;
    });
    await waitFor('the latched line to run', async () => (await fleet.post('execute', {})).body.success);
  }, 120_000);

  test('while every jidoka hangs, a stopped circuit stays stopped even past its pause; a jidoka that is back grants a trial', async () => {
    const jidokas = ['jidoka-1', 'jidoka-2'];
    const fails = { chaos: { fail: 'transient' } };
    await Promise.all([1, 2, 3].map(() => fleet.send('report', fails)));
    const { reason } = await waitFor('the circuit to open', async () => {
      const { report } = (await fleet.get<Health>('/health')).body.circuits;
      return report?.state === 'Open' ? report : null;
    });
    await refusedEverywhere('report', 'CIRCUIT_OPEN');
    // The local runtime replaces a hung process after 3 s, so jidoka hangs only from just before the end of the pause.
    const { circuits } = (await fleet.get<{ circuits: Record<string, { until: string }> }>('/jidoka')).body;
    const nearlyOverMs = Date.parse(circuits.report!.until) - 500;
    await waitFor('the last moments of the pause', () => Date.now() > nearlyOverMs);
    for (const name of jidokas) await fleet.kill(name, 'SIGSTOP');
    await waitFor('the pause to be over', async () => {
      return (await fleet.get<Health>('/health')).body.circuits.report?.state === 'HalfOpen';
    });
    await refusedEverywhere('report', 'CIRCUIT_OPEN');
    expect((await fleet.post('report', {})).body).toMatchObject({ message: reason });
    expect((await fleet.post('validate', { data: 1 })).body.status).toBe('succeeded');
    // Meanwhile the local runtime may have put others in their place.
    for (const name of jidokas) await fleet.kill(name, 'SIGCONT').catch(() => undefined);
    await waitFor('the trial to start it', async () => (await fleet.post('report', {})).body.success, {
      limitMs: 20_000,
    });
  }, 60_000);
});
