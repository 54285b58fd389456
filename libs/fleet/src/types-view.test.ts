import { type Bus, connectBus, openBucket } from '@tps/bus';
import { NatsServer, sampleRetirement, sampleType, waitFor } from '@tps/testkit';
import { TypesView } from './types-view';

let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  nats = await NatsServer.start();
  bus = await connectBus({ url: nats.url, name: 'test' });
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

test('a type is known until it is retired, while that may be undone, and again when it comes back', async () => {
  const bucket = await openBucket(bus, bus.names.buckets.types, 1);
  const put = (given: object): Promise<number> => bucket.put('old', JSON.stringify(sampleType('old', given)));
  await bucket.put('other', JSON.stringify(sampleType('other')));
  await put({});
  const view = await TypesView.open(bus, { replicas: 1, onError: console.error });
  const told: string[] = [];
  view.onRetired((type) => told.push(type));
  const known = (...types: string[]): Promise<unknown> =>
    waitFor(types.join(), () => [...view.known()].sort().join() === types.join());

  await put({ retired: sampleRetirement({ phase: 'checking' }) });
  await waitFor('the mark', () => view.retirement('old'));
  expect([[...view.known()].sort(), view.isRetired('old'), told]).toEqual([['old', 'other'], false, []]);
  for (const phase of ['removing', 'done'] as const) {
    await put({ retired: sampleRetirement({ phase }) });
    await waitFor(phase, () => view.retirement('old')?.phase === phase);
    expect([view.known(), view.get('old'), view.isRetired('old')]).toEqual([['other'], undefined, true]);
  }
  expect(new Set(told)).toEqual(new Set(['old']));
  await put({});
  await known('old', 'other');
  expect([view.isRetired('old'), view.retirement('old'), view.isRetired('nobody')]).toEqual([
    ...[false, undefined],
    false,
  ]);
  view.close();
});
