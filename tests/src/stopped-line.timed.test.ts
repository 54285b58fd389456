import { waitFor } from '@tps/testkit';
import { Fleet } from './fleet';

interface Health {
  circuits: Record<string, { state: string; reason?: string; andon_id?: string }>;
}
interface Call {
  id: string;
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
  const refusalAt = async (gateway: string, type: string): Promise<string | undefined> => {
    const body = JSON.stringify({ signal_type: type, payload: { data: 1 } });
    // One that is accepted just before the stop is held: whoever waited for its outcome would wait for a person.
    const headers = { 'content-type': 'application/json', prefer: 'respond-async' };
    const response = await fetch(`${gateway}/signal`, { method: 'POST', headers, body });
    const answer = (await response.json()) as { code?: string };
    return answer.code;
  };
  const calls = async (): Promise<Call[]> =>
    (await fleet.get<{ calls: Call[] }>('/andon', { accept: 'application/json' })).body.calls;

  beforeAll(async () => {
    const two = { TPS_REPLICAS_GATEWAY: '2', TPS_REPLICAS_JIDOKA: '2', TPS_REPLICAS_ANDON: '2' };
    fleet = await Fleet.start({ ...two, TPS_CB_THRESHOLD: '3', TPS_CB_TIMEOUT: '60' });
  }, 120_000);
  afterAll(() => fleet?.stop(), 60_000);

  test('the same defect in three signals is refused at every gateway, until a person resumes the line', async () => {
    for (let n = 0; n < 3; n += 1) {
      const { body } = await fleet.post('execute', { chaos: { fail: 'defect' } });
      expect(body).toMatchObject({ status: 'failed' });
    }
    const failed = Date.now();
    await waitFor('both to refuse', async () => {
      const codes = await Promise.all(gateways().map((gateway) => refusalAt(gateway, 'execute')));
      return codes.every((code) => code === 'LINE_STOPPED');
    });
    expect(Date.now() - failed).toBeLessThan(500);
    expect((await fleet.post('validate', { data: 1 })).body.status).toBe('succeeded');
    const [call, ...more] = await waitFor('the call', async () => {
      const open = await calls();
      return open.length > 0 ? open : null;
    });
    expect(more).toEqual([]);
    const act = { owner: 'bob', countermeasure: 'mended' };
    expect((await fleet.call('POST', `/andon/${call!.id}/resume`, act)).status).toBe(200);
    await waitFor(
      'the line to run',
      async () => (await fleet.post('execute', { task: 'demo' })).body.status === 'succeeded',
    );
  }, 60_000);

  test('SIGKILL of each part changes nothing about a stop; what was held then succeeds at its first attempt', async () => {
    const cord = { signal_type: 'validate', mode: 'stop', reason: 'drill', by: 'alice', intake: 'hold' };
    const { body: call, status } = await fleet.call<Call>('POST', '/andon/cord', cord);
    expect({ status, call }).toMatchObject({ status: 201, call: { mode: 'stop' } });
    await fleet.call('POST', `/andon/${call.id}/ack`, { owner: 'bob' });
    const held = await waitFor('intake', () => fleet.send('validate', { data: 1 }).catch(() => null));
    for (const victim of ['jidoka-1', 'andon-1', 'gateway-1', 'worker-1', 'nats-1']) await fleet.kill(victim);
    await waitFor(
      'the fleet to be back, and still stopped',
      async () => {
        const { body } = await fleet.get<Health>('/health');
        const open = await calls();
        return body.circuits.validate?.state === 'Open' && open.some(({ id }) => id === call.id);
      },
      { limitMs: 45_000, everyMs: 200 },
    );
    expect(await calls()).toMatchObject([{ id: call.id, mode: 'stop', reason: 'drill', owner: 'bob' }]);
    const { circuits } = (await fleet.get<Health>('/health')).body;
    expect(circuits.validate).toMatchObject({ reason: 'drill', andon_id: call.id });
    expect((await fleet.get(`/signal/${held}`)).body).toMatchObject({ status: 'held' });
    const act = { owner: 'bob', countermeasure: 'drill over' };
    const resumed = await waitFor('the resume', async () => {
      const answer = await fleet.call('POST', `/andon/${call.id}/resume`, act);
      return answer.status === 503 ? null : answer.status;
    });
    expect(resumed).toBe(200);
    await waitFor('the outcome', async () => {
      const { body } = await fleet.get(`/signal/${held}`, { prefer: 'wait=5' });
      return body.status === 'succeeded' && body.attempt === 1;
    });
  }, 120_000);
});
