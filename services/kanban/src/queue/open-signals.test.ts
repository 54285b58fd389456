import { type Bus, connectBus, ensureStream, managerOf } from '@tps/bus';
import type { Priority, ReplyOf, RequestOf } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import { NatsServer, sampleOutcome, waitFor } from '@tps/testkit';
import { OpenSignals } from './open-signals';
import type { InFlightSignals } from './in-flight-signals';

let nats: NatsServer;
let bus: Bus;
let open: OpenSignals;
const started = new Map<string, string>();

async function accept(id: string, type = 'demo', priority: Priority = 3): Promise<number> {
  const signal = {
    v: 1,
    id,
    run: 0,
    signal_type: type,
    priority,
    payload: {},
    timeout_ms: 1_000,
    created_at: new Date().toISOString(),
  };
  const subject = bus.names.subjects.work(type, priority, id);
  return (await bus.publisher.publish(subject, JSON.stringify(signal))).seq;
}
const page = (request: Partial<RequestOf<'openSignals'>> = {}): Promise<ReplyOf<'openSignals'>> =>
  open.page({ limit: 50, ...request });
const ids = ({ items }: ReplyOf<'openSignals'>): string[] => items.map(({ signal_id }) => signal_id);
async function remove(seq: number): Promise<void> {
  await (await managerOf(bus)).streams.deleteMessage(bus.names.streams.kanban, seq, false);
}

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureStream(bus, 'kanban', { replicas: 1, kanbanMaxMessages: 10_000 });
  await ensureStream(bus, 'outcomes', { replicas: 1 });
  const lines = { state: (type: string) => (type === 'stopped' ? 'Open' : 'Closed') } as unknown as LineView;
  const inFlight = { started: async () => started } as unknown as InFlightSignals;
  open = new OpenSignals(bus, lines, inFlight);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

test('signals are listed with their status, newest first, and filtered by type, status and time', async () => {
  for (const id of ['waits', 'runs', 'again']) await accept(id);
  // Times have a precision of milliseconds.
  const now = Date.now();
  await waitFor('the next millisecond', () => Date.now() > now + 1, { everyMs: 1 });
  await accept('held', 'stopped');
  started.set('runs', 'worker-1');
  const failed = sampleOutcome({ signal_id: 'again', status: 'retrying', message: 'no luck' });
  await bus.publisher.publish(bus.names.subjects.outcomeAttempt('again'), JSON.stringify([failed]));
  await bus.publisher.publish(bus.names.subjects.work('demo', 1, 'odd'), 'not json');
  const all = await page();
  expect(all.items.map(({ signal_id, status }) => [signal_id, status])).toEqual([
    ['odd', 'queued'],
    ['held', 'held'],
    ['again', 'retrying'],
    ['runs', 'running'],
    ['waits', 'queued'],
  ]);
  expect(all.next).toBeNull();
  expect(all.items[2]).toMatchObject({ attempt: 1, message: 'no luck', priority: 3 });
  expect(ids(await page({ type: 'stopped' }))).toEqual(['held']);
  expect(ids(await page({ status: ['running', 'retrying'] }))).toEqual(['again', 'runs']);
  expect(ids(await page({ since: all.items[1]!.enqueued_at }))).toEqual(['odd', 'held']);
  expect(ids(await page({ since: new Date(Date.now() + 60_000).toISOString() }))).toEqual([]);
});

test('pages contain every signal once, across gaps and dense ranges', async () => {
  const early = ['first', 'second', 'third'];
  for (const id of early) await accept(id, 'paged');
  const gone: number[] = [];
  for (let n = 0; n < 300; n += 1) gone.push(await accept(`gone-${n}`, 'paged'));
  await Promise.all(gone.map(remove));
  const late = Array.from({ length: 40 }, (_, n) => `late-${n}`);
  for (const id of late) await accept(id, 'paged');
  const seen: string[] = [];
  for (let cursor: string | undefined, pages = 0; pages < 100; pages += 1) {
    const next: ReplyOf<'openSignals'> = await page({
      type: 'paged',
      limit: 7,
      ...(cursor ? { cursor } : {}),
    });
    seen.push(...ids(next));
    if (!next.next) break;
    cursor = next.next;
  }
  expect(seen).toEqual([...early, ...late].reverse());
});
