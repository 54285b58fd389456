import { type KvView, openView } from '@tps/bus';
import type { TypeRecord } from '@tps/contracts';
import { sampleRetirement, waitFor } from '@tps/testkit';
import { WorkerHarness, signal } from './worker-harness.fixture';

jest.setTimeout(60_000);

let harness: WorkerHarness;
let types: KvView<TypeRecord>;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  const options = { replicas: 1, onError: console.error };
  types = await openView(harness.bus, 'types', options);
});
afterAll(async () => {
  types.close();
  await harness.close();
});

const announced = (type: string): Promise<TypeRecord> =>
  waitFor('the announcement', () => {
    const record = types.get(type);
    return record && !record.retired ? record : null;
  });
async function retire(type: string, record: TypeRecord, phase: 'removing' | 'done' = 'done'): Promise<void> {
  await types.put(type, { ...record, retired: sampleRetirement({ phase }) });
}

test('a living worker announces a type again that was retired or whose record got lost', async () => {
  await harness.worker('w1', [signal('alive', () => 1)]);
  const first = await announced('alive');
  await retire('alive', first);
  const second = await announced('alive');
  expect(second).toEqual({ ...first, registered_at: second.registered_at });
  expect(Date.parse(second.registered_at)).toBeGreaterThan(Date.parse(first.registered_at));
  await types.remove('alive');
  await announced('alive');
});

test('a worker that starts while its type is being removed announces it afterwards', async () => {
  const gone = await harness.worker('w2', [signal('late', () => 1)]);
  const record = await announced('late');
  await gone.stop();
  await retire('late', record, 'removing');
  const starting = harness.worker('w3', [signal('late', () => 1)]);
  await retire('late', record);
  await starting;
  await announced('late');
});

test('a type that is retired after its worker stopped stays retired', async () => {
  const worker = await harness.worker('w4', [signal('left', () => 1)]);
  const record = await announced('left');
  await worker.stop();
  await retire('left', record);
  await harness.bus.nc.flush();
  expect((await types.read('left'))?.value.retired?.phase).toBe('done');
});
