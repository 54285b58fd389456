import { setTimeout as sleep } from 'node:timers/promises';
import { openBucket } from '@tps/bus';
import { type Heartbeat, type CardsRecord, WIRE_VERSION } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { WorkerHarness, signal } from './worker-harness.fixture';

jest.setTimeout(60_000);

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  harness.serveRecords();
});
afterAll(() => harness.close());

/** Counts the running handlers of one type, and the most that ran at once. */
class Running {
  now = 0;
  most = 0;
  ends: (() => void)[] = [];

  /** Ignores its AbortSignal; ends when the test releases it. */
  readonly deaf = async (): Promise<void> => {
    this.most = Math.max(this.most, (this.now += 1));
    await new Promise<void>((resolve) => this.ends.push(resolve));
    this.now -= 1;
  };
}
async function setCards(type: string, cards: number): Promise<void> {
  const record: CardsRecord = { v: WIRE_VERSION, signal_type: type, cards, set_at: '' };
  await (await openBucket(harness.bus, harness.bus.names.buckets.cards, 1)).put(type, JSON.stringify(record));
}
const limits = { timeoutMs: 100, retry: { max_attempts: 1 } };

test('a handler that ignores its AbortSignal keeps its slot until it ends; its attempt is recorded in time', async () => {
  const running = new Running();
  await harness.worker('slot', [signal('slot', running.deaf, limits)], { TPS_NUM_WORKERS: '1' });
  const [first, second] = [await harness.enqueue('slot'), await harness.enqueue('slot')];
  const timedOut = { status: 'failed', error_class: 'transient', message: 'no result within 100 ms' };
  expect(await harness.finished(first)).toMatchObject(timedOut);
  await sleep(300);
  expect([running.now, harness.statusesOf(second)]).toEqual([1, []]);
  running.ends[0]!();
  expect(await harness.finished(second)).toMatchObject(timedOut);
  expect(running.most).toBe(1);
  running.ends[1]!();
});

test('a handler that ignores its AbortSignal keeps its card until it ends, also during retries of its signal', async () => {
  const running = new Running();
  await setCards('card', 1);
  const retry = { max_attempts: 2, base_ms: 1, cap_ms: 1 };
  await harness.worker('card', [signal('card', running.deaf, { timeoutMs: 100, retry })], {
    TPS_NUM_WORKERS: '4',
  });
  const ids = [await harness.enqueue('card'), await harness.enqueue('card'), await harness.enqueue('card')];
  await waitFor('the first attempt', () => harness.of('card').length === 1);
  await sleep(500);
  expect([running.most, harness.of('card').length]).toEqual([1, 1]);
  const ending = setInterval(() => running.ends.shift()?.(), 20);
  await Promise.all(ids.map((id) => harness.finished(id)));
  clearInterval(ending);
  expect(running.most).toBe(1);
  running.ends.shift()?.();
});

test('a worker that stops does not wait for a deaf handler', async () => {
  const running = new Running();
  const worker = await harness.worker('stopping', [signal('stopping', running.deaf, limits)]);
  await harness.finished(await harness.enqueue('stopping'));
  const began = Date.now();
  await harness.stop(worker);
  expect([running.now, Date.now() - began < 10_000]).toEqual([1, true]);
});

test('when a handler does not end, its worker finishes the other work, takes no more and asks for a restart', async () => {
  const running = new Running();
  const failures: unknown[] = [];
  let finish = (): void => undefined;
  const gate = new Promise<void>((resolve) => (finish = resolve));
  const beats: Heartbeat<'worker'>[] = [];
  harness.bus.nc.subscribe(harness.bus.names.subjects.heartbeat('worker'), {
    callback: (_, msg) => void beats.push(msg.json<Heartbeat<'worker'>>()),
  });
  const types = [signal('endless', running.deaf, limits), signal('honest', () => gate)];
  await harness.worker('endless', types, {}, (error) => failures.push(error));
  const honest = await harness.enqueue('honest');
  await harness.finished(await harness.enqueue('endless'));
  const last = (): Heartbeat<'worker'> | undefined =>
    beats.filter(({ instance }) => instance === 'endless').at(-1);
  await waitFor('its beats to tell', () => last()?.vitals.deaf?.endless === 1, { limitMs: 10_000 });
  await waitFor('it to be not ready', () => last()?.ready === false, { limitMs: 20_000 });
  await harness.enqueue('honest');
  await sleep(500);
  expect([failures, await harness.queued('honest')]).toEqual([[], 2]);
  finish();
  expect(await harness.finished(honest)).toMatchObject({ status: 'succeeded', attempt: 1 });
  const [failure] = await waitFor('the end', () => (failures.length > 0 ? failures : null), {
    limitMs: 10_000,
  });
  expect(failure).toMatchObject({
    name: 'EndlessHandlerError',
    message: expect.stringContaining('endless') as string,
  });
});
