import { connectBus, openView } from '@tps/bus';
import { type CircuitRecord, WIRE_VERSION } from '@tps/contracts';
import { NatsServer, waitFor } from '@tps/testkit';
import { LineView } from './line-view';

test('a circuit that closed lets in twice as many every half second, and after three seconds all', async () => {
  const server = await NatsServer.start();
  const bus = await connectBus({ url: server.url, name: 'test' });
  const options = { replicas: 1, onError: () => undefined };
  const circuits = await openView(bus, 'circuits', options);
  const lines = await LineView.open(bus, options);
  try {
    const closedMs = Date.parse('2026-01-25T12:00:00.000Z');
    const put = (state: CircuitRecord['state']): Promise<void> =>
      circuits.put('demo', {
        ...{ v: WIRE_VERSION, signal_type: 'demo', state, epoch: 1, reason: '', pause_ms: 0 },
        ...{ since: new Date(closedMs).toISOString(), log_seq: 0, stops: [] },
      });
    const limits = (): number[] =>
      [0, 499, 500, 1_000, 2_999, 3_000].map((ms) => lines.rampLimit('demo', closedMs + ms));
    const all = limits().map(() => Infinity);
    expect(limits()).toEqual(all);
    await put('closed');
    await waitFor('the record', () => lines.circuit('demo'));
    expect(limits()).toEqual([1, 1, 2, 4, 32, Infinity]);
    await put('open');
    await waitFor('the stop', () => lines.circuit('demo')?.state === 'open');
    expect(limits()).toEqual(all);
  } finally {
    lines.close();
    circuits.close();
    await bus.close();
    await server.stop();
  }
});

test.each([
  ['refused', 'at an open circuit', { until: '2999-01-01T00:00:00.000Z' }, false, 'CIRCUIT_OPEN'],
  ['accepted', 'at an open circuit', { until: '2999-01-01T00:00:00.000Z' }, true, undefined],
  ['refused', 'at a half-open circuit', { until: '2000-01-01T00:00:00.000Z' }, false, 'CIRCUIT_OPEN'],
  ['accepted', 'at a half-open circuit', { until: '2000-01-01T00:00:00.000Z' }, true, undefined],
  ['refused', 'at a latched circuit', { latch: { fingerprint: 'f', signals: 3 } }, true, 'LINE_STOPPED'],
] as const)('a signal is %s %s (%j, async: %s)', async (...[, , given, async, code]) => {
  const server = await NatsServer.start();
  const bus = await connectBus({ url: server.url, name: 'test' });
  const options = { replicas: 1, onError: () => undefined };
  const circuits = await openView(bus, 'circuits', options);
  const lines = await LineView.open(bus, options);
  try {
    await circuits.put('demo', {
      ...{ v: WIRE_VERSION, signal_type: 'demo', state: 'open', epoch: 1, reason: '', pause_ms: 0 },
      ...{ since: new Date().toISOString(), log_seq: 0, stops: [], ...given },
    });
    await waitFor('the stop', () => lines.circuit('demo'));
    const request = { id: 'x', signal_type: 'demo', ...(async ? { async } : {}) };
    expect(lines.refusal(request, Date.now())?.code).toBe(code);
  } finally {
    lines.close();
    circuits.close();
    await bus.close();
    await server.stop();
  }
});
