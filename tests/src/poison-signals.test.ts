import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus, openBucket } from '@tps/bus';
import type { CircuitRecord } from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { waitFor } from '@tps/testkit';
import { defineSignal, type SignalDefinition, workerService } from '@tps/worker';
import { type Answer, Fleet, type SignalAnswer } from './fleet';

interface Order {
  poison?: true;
}
interface Line {
  state: string;
  epoch: number;
}

/** How long a handler waits for what is down, so that an outage stops the line before all orders have met it. */
const OUTAGE_MS = 300;

/** Types whose handler cannot do certain orders, and none while it is broken. */
class Shop {
  readonly broken = new Set<string>();
  private constructor(
    readonly fleet: Fleet,
    private readonly worker: ServiceHandle,
  ) {}

  static async start(
    types: Record<string, SignalDefinition['retry']>,
    variables: Record<string, string>,
  ): Promise<Shop> {
    const fleet = await Fleet.start(variables);
    const signals = Object.entries(types).map(([name, retry]) =>
      defineSignal({ name, ...(retry ? { retry } : {}), run: (order) => shop.work(name, order as Order) }),
    );
    const env = { NATS_URL: fleet.environment.NATS_URL, METRICS_PORT: 'disabled', LOG_LEVEL: 'error' };
    const service = workerService({}, () => ({ signals }));
    const shop: Shop = new Shop(fleet, await startService(service, env, (error) => console.error(error)));
    for (const name of Object.keys(types)) {
      await waitFor('the type', async () => (await fleet.post(name, {})).status === 202);
    }
    return shop;
  }

  async stop(): Promise<void> {
    await this.worker.stop();
    await this.fleet.stop();
  }

  async poison(type: string, count: number): Promise<string[]> {
    return Promise.all(Array.from({ length: count }, () => this.fleet.send(type, { poison: true })));
  }

  async line(type: string): Promise<Line | undefined> {
    return (await this.fleet.get<{ circuits: Record<string, Line> }>('/jidoka')).body.circuits[type];
  }

  /** How often each type has stopped, by the records of their circuits. */
  async stops(types: readonly string[]): Promise<number[]> {
    const bus = await connectBus({ url: String(this.fleet.environment.NATS_URL), name: 'test' });
    try {
      const bucket = await openBucket(bus, bus.names.buckets.circuits, 1);
      const entries = await Promise.all(types.map((type) => bucket.get(type)));
      return entries.map((entry) => entry!.json<CircuitRecord>().stops.length);
    } finally {
      await bus.close();
    }
  }

  async outcome(id: string): Promise<{ status: string; attempt: number }> {
    const { body } = await this.fleet.get<{ status: string; attempt: number }>(`/signal/${id}`);
    return { status: body.status, attempt: body.attempt };
  }

  async isDone(id: string): Promise<boolean> {
    return ['failed', 'succeeded', 'cancelled'].includes((await this.outcome(id)).status);
  }

  private async work(type: string, { poison }: Order): Promise<string> {
    if (poison) throw new Error('this order cannot be read');
    if (!this.broken.has(type)) return 'done';
    await sleep(OUTAGE_MS);
    throw new Error('the other side is down');
  }
}

/** Posts good orders one after the other until `until`, every second one async, and tells their outcomes. */
async function goodOrders(
  { fleet }: Shop,
  { type, everyMs }: { type: string; everyMs: number },
  until: () => Promise<boolean>,
): Promise<{ refused: number; longestGapMs: number; accepted: string[] }> {
  const answers: Promise<{ answer: Answer<SignalAnswer>; atMs: number }>[] = [];
  let over = false;
  const watch = waitFor('the poison to end', until, { limitMs: 90_000, everyMs: 300 }).finally(
    () => (over = true),
  );
  while (!over) {
    const headers: Record<string, string> = answers.length % 2 === 0 ? {} : { prefer: 'respond-async' };
    answers.push(fleet.post(type, {}, { headers }).then((answer) => ({ answer, atMs: Date.now() })));
    await sleep(everyMs);
  }
  await watch;
  const all = await Promise.all(answers);
  const doneMs = all.flatMap(({ answer, atMs }) => (answer.body.success ? atMs : [])).sort((a, b) => a - b);
  const gaps = doneMs.slice(1).map((atMs, n) => atMs - doneMs[n]!);
  const refused = all.filter(({ answer }) => answer.status !== 202);
  expect(new Set(refused.map(({ answer }) => answer.body.code))).toEqual(
    new Set(refused.length > 0 ? ['CIRCUIT_OPEN'] : []),
  );
  return {
    refused: refused.length,
    longestGapMs: Math.max(0, ...gaps),
    accepted: all.flatMap(({ answer }) => (answer.status === 202 ? answer.body.signal_id : [])),
  };
}

const PAUSE_MS = 2_000;
/** Time for the orders to be answered on a busy machine. */
const SLACK_MS = 2_500;
const OFTEN = { max_attempts: 8, base_ms: 50 };

describe('signals that always fail', () => {
  let shop: Shop;
  const cases = {
    'one-low': { poison: 1, everyMs: 400 },
    'two-low': { poison: 2, everyMs: 400 },
    'three-low': { poison: 3, everyMs: 400 },
    'one-low-often': { poison: 1, everyMs: 400, retry: OFTEN },
    'three-low-often': { poison: 3, everyMs: 400, retry: OFTEN },
    'six-low-often': { poison: 6, everyMs: 400, retry: OFTEN },
    'one-high': { poison: 1, everyMs: 20 },
    'two-high': { poison: 2, everyMs: 20 },
    'three-high': { poison: 3, everyMs: 20 },
  } as const;
  beforeAll(async () => {
    const types = Object.entries(cases).map(([type, given]) => [
      type,
      'retry' in given ? given.retry : undefined,
    ]);
    const retries = Object.fromEntries(types) as Record<string, SignalDefinition['retry']>;
    shop = await Shop.start(
      { ...retries, outage: undefined },
      { TPS_CB_THRESHOLD: '3', TPS_CB_TIMEOUT: String(PAUSE_MS / 1_000) },
    );
  }, 120_000);
  afterAll(() => shop?.stop(), 60_000);

  test.each([
    ['low', Object.entries(cases).filter(([type]) => type.includes('low'))],
    ['high', Object.entries(cases).filter(([type]) => type.includes('high'))],
  ])(
    'end as dead letters, and good orders flow, at %s traffic',
    async (_, some) => {
      await Promise.all(
        some.map(async ([type, { poison, everyMs, ...given }]) => {
          const bad = await shop.poison(type, poison);
          const isOver = async (): Promise<boolean> =>
            (await Promise.all(bad.map((id) => shop.isDone(id)))).every(Boolean);
          const { refused, longestGapMs, accepted } = await goodOrders(shop, { type, everyMs }, isOver);
          if (poison < 3)
            expect({ type, refused, line: await shop.line(type) }).toEqual({ type, refused: 0 });
          expect(longestGapMs).toBeLessThan(PAUSE_MS + SLACK_MS);
          const max = 'retry' in given ? OFTEN.max_attempts : 3;
          for (const id of bad) expect(await shop.outcome(id)).toEqual({ status: 'failed', attempt: max });
          const { body } = await shop.fleet.get<{ items: { signal_id: string }[] }>(
            `/kanban/dead?type=${type}`,
          );
          expect(body.items.map(({ signal_id }) => signal_id).sort()).toEqual([...bad].sort());
          await waitFor('the good orders', async () =>
            (await Promise.all(accepted.slice(-20).map((id) => shop.isDone(id)))).every(Boolean),
          );
          for (const id of accepted)
            expect(await shop.outcome(id)).toEqual({ status: 'succeeded', attempt: 1 });
        }),
      );
      const { body } = await shop.fleet.get<{ items: { event: string }[] }>('/andon/history?event=resumed');
      expect(body.items).toEqual([]);
    },
    120_000,
  );

  test('three of them stop their line once, for a pause', async () => {
    const types = ['three-low', 'three-low-often', 'six-low-often'];
    for (const type of types) {
      expect(await shop.line(type)).toMatchObject({ state: 'Closed', reason: 'the trial succeeded' });
    }
    const [three, often, six] = await shop.stops(types);
    expect([three, often]).toEqual([1, 1]);
    // Signals that had not failed at the first stop may make another one: it takes three of them.
    expect(six).toBeLessThanOrEqual(2);
  });

  test('an outage burns no attempts of what waits, and all of it succeeds when it is over', async () => {
    shop.broken.add('outage');
    const orders = await Promise.all(Array.from({ length: 20 }, () => shop.fleet.send('outage', {})));
    const opened = await waitFor('the stop', () => shop.line('outage'));
    await waitFor('two failed trials', async () => (await shop.line('outage'))!.epoch >= opened.epoch + 4, {
      limitMs: 20_000,
    });
    shop.broken.delete('outage');
    await waitFor(
      'the orders',
      async () => (await Promise.all(orders.map((id) => shop.isDone(id)))).every(Boolean),
      {
        limitMs: 40_000,
        everyMs: 500,
      },
    );
    const ended = await Promise.all(orders.map((id) => shop.outcome(id)));
    expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(['succeeded']));
    // Only the signals that ran before the stop, in the four slots, have used up an attempt.
    expect(ended.filter(({ attempt }) => attempt > 1).length).toBeLessThanOrEqual(8);
  }, 90_000);
});

describe('people and signals that always fail', () => {
  let shop: Shop;
  beforeAll(async () => {
    const retry = { base_ms: 100 };
    shop = await Shop.start(
      { cancelled: undefined, requeued: retry },
      { TPS_CB_TIMEOUT: '600', TPS_CB_THRESHOLD: '3' },
    );
  }, 120_000);
  afterAll(() => shop?.stop(), 60_000);

  test('cancelling the last of those that stopped the line starts it at once', async () => {
    const bad = await shop.poison('cancelled', 3);
    await waitFor('the stop', async () => (await shop.line('cancelled'))?.state === 'Open');
    const held = await shop.fleet.send('cancelled', {});
    expect((await shop.fleet.post('cancelled', {})).body.code).toBe('CIRCUIT_OPEN');
    for (const id of bad) {
      expect((await shop.line('cancelled'))?.state).toBe('Open');
      await waitFor('the cancel', async () => (await shop.fleet.remove(`/signal/${id}`)).status === 200);
    }
    await waitFor('the line to run', async () => (await shop.line('cancelled'))?.state === 'Closed');
    await waitFor('the held signal', async () => (await shop.outcome(held)).status === 'succeeded');
  }, 60_000);

  test('requeueing one again and again stops nothing', async () => {
    const [id] = await shop.poison('requeued', 1);
    for (let run = 0; run < 4; run += 1) {
      await waitFor('its end', () => shop.isDone(id!));
      const { status, body } = await shop.fleet.call<SignalAnswer>('POST', `/signal/${id}/retry`);
      expect({ status, body }).toMatchObject({ status: 202, body: { status: 'failed' } });
      expect((await shop.fleet.post('requeued', {})).body.status).toBe('succeeded');
    }
    expect(await shop.line('requeued')).toBeUndefined();
  }, 60_000);
});
