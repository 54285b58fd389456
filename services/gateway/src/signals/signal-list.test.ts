import { Value } from '@sinclair/typebox/value';
import { type Bus, connectBus } from '@tps/bus';
import { sampleOutcome } from '@tps/testkit';
import { Signals } from '../api/schemas';
import { type GatewayHarness, startGateway } from '../testing/harness';

const REACH = { since: '2026-11-28T12:00:00.000Z', hours: 24, promised_hours: 24 };
let gateway: GatewayHarness;
let bus: Bus;
beforeAll(async () => {
  gateway = await startGateway();
  bus = await connectBus({ url: gateway.nats.url, name: 'test' });
});
afterAll(async () => {
  await bus.close();
  await gateway.stop();
});

test('a signal that runs again is not listed with its old outcome', async () => {
  const items = [
    sampleOutcome({ signal_id: 'again', status: 'failed' }),
    sampleOutcome({ signal_id: 'over', status: 'failed' }),
    sampleOutcome({ signal_id: 'once-more', status: 'expired', run: 1 }),
  ];
  bus.nc.subscribe(bus.names.subjects.finishedSignals, {
    callback: (_, msg) => void msg.respond(JSON.stringify({ items, next: null, reach: REACH })),
  });
  await bus.nc.flush();
  const listed = async (): Promise<string[]> => {
    const { body } = await gateway.http.get('/signals');
    return (body as { items: { signal_id: string }[] }).items.map(({ signal_id }) => signal_id);
  };
  expect(await listed()).toEqual(['again', 'over', 'once-more']);
  expect((await gateway.http.get('/signals')).body).toMatchObject({ reach: REACH });
  bus.nc.subscribe(bus.names.subjects.openRuns, {
    callback: (_, msg) => void msg.respond(JSON.stringify({ runs: { again: 1, 'once-more': 1 } })),
  });
  await bus.nc.flush();
  expect(await listed()).toEqual(['over', 'once-more']);
});

test.each(['failed', 'queued'])('the document has every member of a listed %s signal', async (status) => {
  const outcome = sampleOutcome({ status: 'failed', error_class: 'transient', fingerprint: 'f' });
  const { signal_id, run, signal_type, priority, enqueued_at, trace_id } = outcome;
  const queued = { signal_id, run, signal_type, priority, enqueued_at, trace_id, attempt: 0, timeout_ms: 1 };
  const reply = (item: object): string => JSON.stringify({ items: [item], next: null });
  const { finishedSignals, openSignals } = bus.names.subjects;
  bus.nc.subscribe(finishedSignals, { max: 1, callback: (_, msg) => void msg.respond(reply(outcome)) });
  bus.nc.subscribe(openSignals, {
    max: 1,
    callback: (_, msg) => void msg.respond(reply({ ...queued, status: 'queued' })),
  });
  await bus.nc.flush();
  const { body } = await gateway.http.get(`/signals?status=${status}`);
  expect([...Value.Errors(Signals, body)]).toEqual([]);
  const [item] = (body as { items: object[] }).items;
  expect(Object.keys(Signals.properties.items.items.properties)).toEqual(
    expect.arrayContaining(Object.keys(item!)),
  );
});
