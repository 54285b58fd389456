import { type Bus, connectBus, ensureStream, managerOf } from '@tps/bus';
import type { Outcome } from '@tps/contracts';
import { NatsServer, sampleOutcome, waitFor } from '@tps/testkit';
import type { Logger } from '@tps/telemetry';
import type { InFlightSignal } from './in-flight-signal';
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

  test('appends a batch however long the trace states of its callers are', async () => {
    const log = { warn: () => undefined } as unknown as Logger;
    const recorder = new Recorder(bus, log);
    const tracestate = `a=${'x'.repeat(500)}`;
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const inFlight = {
      msg: { string: () => '{}' },
      life: { answer: () => undefined },
    } as unknown as InFlightSignal;
    const settled = Array.from({ length: 200 }, () =>
      recorder.settle(inFlight, { outcome: sampleOutcome(), trace: { traceparent, tracestate } }),
    );
    await Promise.all(settled);
    const { state } = await (await managerOf(bus)).streams.info(bus.names.streams.outcomes);
    expect(state.messages).toBe(1);
    recorder.close();
  });

  test('appends and replies outcomes of any script within the size limit of the broker', async () => {
    const log = { warn: () => undefined } as unknown as Logger;
    const recorder = new Recorder(bus, log);
    const answers: Outcome[] = [];
    bus.nc.subscribe('test.answers', { callback: (_, msg) => void answers.push(...msg.json<Outcome[]>()) });
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    const inFlight = {
      msg: { string: () => '{}' },
      life: { answer: () => undefined },
    } as unknown as InFlightSignal;
    // Half a million characters are one and a half million bytes.
    const settled = Array.from({ length: 20 }, () => {
      const outcome = sampleOutcome({ result: '\u65e5'.repeat(25_000) });
      return recorder.settle(inFlight, { outcome, trace, reply_to: 'test.answers' });
    });
    await Promise.all(settled);
    await waitFor('the answers', () => answers.length === 20);
    recorder.close();
  });

  test('an outcome that is too large for the broker fails its own signal only', async () => {
    await ensureStream(bus, 'dead', { replicas: 1 });
    const recorder = new Recorder(bus, { warn: () => undefined } as unknown as Logger);
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    const inFlight = {
      signal: { signal_type: 'big' },
      msg: { string: () => '{}' },
      life: { answer: () => undefined },
    } as unknown as InFlightSignal;
    const outcome = sampleOutcome({ signal_type: 'big', result: '\u65e5'.repeat(400_000) });
    await recorder.settle(inFlight, { outcome, trace });
    const last_by_subj = bus.names.subjects.dead('big');
    const letter = await (await managerOf(bus)).direct.getMessage(bus.names.streams.dead, { last_by_subj });
    const { outcome: kept } = letter?.json<{ outcome: Outcome }>() ?? {};
    expect(kept).toMatchObject({ status: 'failed', success: false, error_class: 'defect' });
    expect(kept).not.toHaveProperty('result');
    recorder.close();
  });
});
