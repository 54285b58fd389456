import { type Bus, connectBus, ensureStream, managerOf } from '@tps/bus';
import { NatsServer, sampleOutcome } from '@tps/testkit';
import type { Logger } from '@tps/service';
import type { Held } from './held';
import { Recorder } from './recorder';

describe('the recorder', () => {
  let nats: NatsServer;
  let bus: Bus;
  beforeAll(async () => {
    nats = await NatsServer.start();
    bus = await connectBus({ url: nats.url, name: 'recorder' });
    await ensureStream(bus, 'outcomes', { replicas: 1 });
  });
  afterAll(async () => {
    await bus.close();
    await nats.stop();
  });

  test('gets a batch into the log however long the trace states of its callers are', async () => {
    const log = { warn: () => undefined } as unknown as Logger;
    const recorder = new Recorder(bus, log);
    const tracestate = `a=${'x'.repeat(500)}`;
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const conclusion = { final: true, status: 'succeeded', retryMs: 0 } as never;
    const held = { msg: { respond: () => true } } as unknown as Held;
    const settled = Array.from({ length: 200 }, () =>
      recorder.settle(held, conclusion, { outcome: sampleOutcome(), trace: { traceparent, tracestate } }),
    );
    await Promise.all(settled);
    const { state } = await (await managerOf(bus)).streams.info(bus.names.streams.outcomes);
    expect(state.messages).toBe(1);
    recorder.close();
  });
});
