import { waitFor } from '@tps/testkit';
import { Fleet, type SignalAnswer } from './fleet';

const VICTIMS = [
  'jidoka-1',
  'kanban-1',
  'andon-1',
  'kaizen-1',
  'heijunka-1',
  'worker-1',
  'gateway-1',
  'nats-1',
];
const PER_VICTIM = 30;

/** Does the fleet come back from SIGKILL of each of its processes with nothing lost and the same counts? */
describe('SIGKILL of each process in turn, under load', () => {
  let fleet: Fleet;
  const accepted = new Set<string>();
  beforeAll(async () => {
    fleet = await Fleet.start({ TPS_KANBAN_BUFFER: '5000' });
  }, 90_000);
  afterAll(() => fleet?.stop(), 60_000);

  /** Sends until so many are accepted; a key makes trying again safe whatever became of the first try. */
  async function keepSending(label: string): Promise<void> {
    for (let n = 0; n < PER_VICTIM; n += 1) {
      const headers = { prefer: 'respond-async', 'idempotency-key': `${label}-${n}` };
      const id = await waitFor(
        `${label}-${n} to be accepted`,
        async () => {
          const { status, body } = await fleet.post('execute', { task: 'demo', n }, { headers });
          return status === 202 ? body.signal_id : null;
        },
        { limitMs: 30_000, everyMs: 100 },
      );
      accepted.add(id);
    }
  }

  test.each(VICTIMS)(
    '%s',
    async (victim) => {
      const sending = keepSending(victim);
      await fleet.kill(victim);
      await sending;
      await fleet.healthy(30_000);
    },
    90_000,
  );

  test('every accepted signal succeeded, once in the count', async () => {
    expect(accepted.size).toBe(VICTIMS.length * PER_VICTIM);
    for (const id of accepted) {
      const record = await waitFor(
        `the outcome of ${id}`,
        async () => {
          const { body } = await fleet.get<SignalAnswer & { final?: boolean }>(`/signal/${id}`, {
            prefer: 'wait=5',
          });
          return body.final ? body : null;
        },
        { limitMs: 30_000 },
      );
      expect(record.status).toBe('succeeded');
    }
    const { body: metrics } = await fleet.get('/metrics');
    expect(metrics).toMatchObject({
      total_processed: accepted.size,
      success_count: accepted.size,
      error_count: 0,
    });
    // A message whose acknowledgement was lost comes again when its lease ends, and is found finished.
    await waitFor('the queue to be empty', async () => (await fleet.get('/health')).body.queue_depth === 0, {
      limitMs: 20_000,
    });
  }, 120_000);

  test('a restarted kaizen and andon know the same as before', async () => {
    const { body: before } = await fleet.get('/metrics');
    const id = [...accepted][0]!;
    await fleet.kill('kaizen-1');
    await fleet.kill('andon-1');
    const after = await waitFor(
      'the figures to be back',
      async () => {
        const { status, body } = await fleet.get('/metrics');
        return status === 200 && body.total_processed === before.total_processed ? body : null;
      },
      { limitMs: 30_000 },
    );
    expect({ ...after, error_rate_5m: 0 }).toEqual({ ...before, error_rate_5m: 0 });
    const record = await waitFor('the records to be back', async () => {
      const { status, body } = await fleet.get(`/signal/${id}`);
      return status === 200 ? body : null;
    });
    expect(record.status).toBe('succeeded');
  }, 60_000);
});
