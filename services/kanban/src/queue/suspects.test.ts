import { ask, type Bus, connectBus, encodeHeaders, managerOf, openBucket } from '@tps/bus';
import {
  type EnqueueVerdict,
  parseReply,
  type ReplyOf,
  type Signal,
  SUSPECT_HEADER,
  type TypeRecord,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, sampleOutcome } from '@tps/testkit';
import { kanban } from '../service';

let nats: NatsServer;
let bus: Bus;
let service: ServiceHandle;
let ids = 0;

beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
  const env = { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error' };
  service = await startService(kanban, env, (error) => console.error(error));
  const types = await openBucket(bus, bus.names.buckets.types, 1);
  const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
  const record: TypeRecord = { v: 1, name: 'demo', timeout_ms: 30_000, retry, registered_at: '' };
  await types.put('demo', JSON.stringify(record));
});
afterAll(async () => {
  await service.stop();
  await bus.close();
  await nats.stop();
});

function signal(): Signal {
  const fixed = {
    v: 1,
    id: `s-${(ids += 1)}`,
    run: 0,
    signal_type: 'demo',
    priority: 3,
    payload: {},
  } as const;
  return { ...fixed, timeout_ms: 600_000, created_at: new Date().toISOString() };
}
async function submit(signals: Signal[], marks: string[]): Promise<EnqueueVerdict[]> {
  const headers = encodeHeaders(marks.map((mark) => [SUSPECT_HEADER, mark] as const));
  const options = { timeout: 5_000, headers };
  const reply = await bus.nc.request(bus.names.subjects.enqueue, JSON.stringify(signals), options);
  const answer = parseReply('enqueue', reply);
  return answer === 1 ? signals.map(() => ({ ok: true })) : answer;
}
const cancel = (id: string): Promise<ReplyOf<'cancel'>> =>
  ask(bus, 'cancel', { id, by: 'a test' }, { timeoutMs: 5_000 });

test('only the suspects of a batch are marked, and one that is in the queue is not appended again', async () => {
  const [suspect, sure, queued] = [signal(), signal(), signal()];
  // The broker knows no message id of it, as after two minutes or a restart.
  await bus.publisher.publish(bus.names.subjects.work('demo', 3, queued.id), JSON.stringify(queued));
  expect(await submit([suspect, sure, queued], ['1', '0', '1'])).toEqual([
    { ok: true },
    { ok: true },
    { ok: true, duplicate: true },
  ]);
  const jsm = await managerOf(bus);
  const isMarked = async ({ id }: Signal): Promise<boolean> => {
    const query = { last_by_subj: bus.names.subjects.work('demo', 3, id) };
    const message = await jsm.streams.getMessage(bus.names.streams.kanban, query);
    return message?.header.has(SUSPECT_HEADER) ?? false;
  };
  expect(await Promise.all([suspect, sure].map(isMarked))).toEqual([true, false]);
});

test('a suspect that has ended cannot be cancelled, and nothing can be said while the records do not answer', async () => {
  const suspect = signal();
  await submit([suspect], ['1']);
  await expect(cancel(suspect.id)).rejects.toThrow();
  const outcomes = [sampleOutcome({ signal_id: suspect.id })];
  const records = bus.nc.subscribe(bus.names.subjects.lookup, {
    callback: (_, msg) => void msg.respond(JSON.stringify({ records: [{ id: suspect.id, outcomes }] })),
  });
  expect(await cancel(suspect.id)).toEqual({ cancelled: false, reason: 'not_found' });
  records.unsubscribe();
});
