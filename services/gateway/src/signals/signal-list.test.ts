import { type Bus, connectBus } from '@tps/bus';
import { sampleOutcome } from '@tps/testkit';
import { type GatewayHarness, startGateway } from '../testing/harness';

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
    callback: (_, msg) => void msg.respond(JSON.stringify({ items, next: null })),
  });
  await bus.nc.flush();
  const listed = async (): Promise<string[]> => {
    const { body } = await gateway.http.get('/signals');
    return (body as { items: { signal_id: string }[] }).items.map(({ signal_id }) => signal_id);
  };
  expect(await listed()).toEqual(['again', 'over', 'once-more']);
  bus.nc.subscribe(bus.names.subjects.openRuns, {
    callback: (_, msg) => void msg.respond(JSON.stringify({ runs: { again: 1, 'once-more': 1 } })),
  });
  await bus.nc.flush();
  expect(await listed()).toEqual(['over', 'once-more']);
});
