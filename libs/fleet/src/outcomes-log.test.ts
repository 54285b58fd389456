import { type Bus, connectBus, encodeHeaders, managerOf } from '@tps/bus';
import type { Outcome } from '@tps/contracts';
import { NatsServer, sampleOutcome, waitFor } from '@tps/testkit';
import { Registry } from 'prom-client';
import { createLogger, SignalTracer } from '@tps/telemetry';
import { type LoggedOutcome, OutcomesLog, type OutcomesLogOptions } from './outcomes-log';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
interface ExportedSpan {
  name: string;
  traceId: string;
  parentSpanId: string;
  attributes: { key: string; value: Record<string, unknown> }[];
}
const spans: ExportedSpan[] = [];
const tracer = new SignalTracer({
  ratio: 1,
  export: (span) => spans.push(JSON.parse(span) as ExportedSpan),
});
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

/** A service that follows the log, and what it was told. */
async function follow(
  withSpans = false,
  options: Partial<OutcomesLogOptions> = {},
): Promise<{ log: OutcomesLog; told: LoggedOutcome[]; registry: Registry }> {
  const told: LoggedOutcome[] = [];
  const registry = new Registry();
  const context = {
    service: 'kaizen',
    config: { TPS_NATS_REPLICAS: 1, TPS_OUTCOMES_MAX_AGE: 24, TPS_OUTCOMES_MAX_BYTES: 2 ** 31 },
    log: createLogger('test', 'test', 'error'),
    tracer,
    bus,
    registry,
  } as unknown as Parameters<typeof OutcomesLog.open>[0];
  const log = await OutcomesLog.open(context, {
    onOutcome: (logged) => told.push(logged),
    ...options,
    ...(withSpans ? { spanAttributes: ({ run }: Outcome) => ({ 'tps.signal.run': run }) } : {}),
  });
  return { log, told, registry };
}

const publish = (items: unknown, traceparents: string[] = []): Promise<unknown> =>
  bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify(items), {
    headers: encodeHeaders(traceparents.map((value) => ['traceparent', value])),
  });

const places = (told: LoggedOutcome[]): unknown[] =>
  told.map(({ outcome, seq, index, superseded }) => [outcome.signal_id, outcome.run, seq, index, superseded]);

test('the first final outcome of a run counts; a replay tells the same in the same order', async () => {
  const live = await follow();
  await publish([sampleOutcome({ signal_id: 'a' }), sampleOutcome({ signal_id: 'b', status: 'retrying' })]);
  await publish([sampleOutcome({ signal_id: 'a', status: 'failed' }), sampleOutcome({ signal_id: 'b' })]);
  await publish([sampleOutcome({ signal_id: 'a', run: 1 })]);
  expect(await live.log.caughtUp(5_000)).toBe(true);
  expect(places(live.told)).toEqual([
    ['a', 0, 1, 0, false],
    ['b', 0, 1, 1, false],
    ['a', 0, 2, 0, true],
    ['b', 0, 2, 1, false],
    ['a', 1, 3, 0, false],
  ]);
  expect(live.told.every((logged) => logged.live)).toBe(true);
  await live.log.stop();

  const again = await follow();
  await waitFor('the rebuild', () => again.log.rebuilt);
  expect(places(again.told)).toEqual(places(live.told));
  expect(again.told.map(({ timeMs }) => timeMs)).toEqual(live.told.map(({ timeMs }) => timeMs));
  expect(again.told.some((logged) => logged.live)).toBe(false);
  expect(again.log.problems()).toEqual([]);
  await again.log.stop();
});

test('a start reads the latest bytes of a log, and of those only what is young enough', async () => {
  const live = await follow();
  for (let n = 0; n < 20; n += 1) await publish([sampleOutcome({ signal_id: `of-${n}` })]);
  expect(await live.log.caughtUp(5_000)).toBe(true);
  const { bytes, messages } = (await (await managerOf(bus)).streams.info(bus.names.streams.outcomes)).state;
  const read = async (options: Partial<OutcomesLogOptions>): Promise<number> => {
    const { log, told } = await follow(false, options);
    await waitFor('the rebuild', () => log.rebuilt);
    await log.stop();
    return told.length;
  };
  const some = await read({ maxBytes: (10 * bytes) / messages, sinceMs: 3_600_000 });
  expect(some).toBeGreaterThanOrEqual(10);
  expect(some).toBeLessThan(20);
  expect(await read({ maxBytes: bytes, sinceMs: 3_600_000 })).toBe(live.told.length);
  expect(await read({ maxBytes: bytes - 1, sinceMs: 0 })).toBeLessThan(20);
  await live.log.stop();
});

test('an unreadable outcome is counted and skipped', async () => {
  const { log, told, registry } = await follow();
  await waitFor('the rebuild', () => log.rebuilt);
  const before = told.length;
  await bus.publisher.publish(bus.names.subjects.outcomeBatch, 'not json');
  await publish({ no: 'array' });
  await publish([null, { ...sampleOutcome(), v: 99 }, sampleOutcome({ signal_id: 'readable' })]);
  expect(await log.caughtUp(5_000)).toBe(true);
  expect(told.slice(before).map(({ outcome, index }) => [outcome.signal_id, index])).toEqual([
    ['readable', 2],
  ]);
  expect(await registry.metrics()).toContain('tps_outcomes_unreadable_total 4');
  await log.stop();
});

test('one span for a live final outcome that counts, child of the worker, where the trace is sampled', async () => {
  const { log } = await follow(true);
  await waitFor('the rebuild', () => log.rebuilt);
  expect(spans).toEqual([]);
  const outcomes = [
    sampleOutcome({ signal_id: 'first', run: 3, signal_type: 'report', status: 'failed' }),
    sampleOutcome({ signal_id: 'unsampled' }),
    sampleOutcome({ signal_id: 'first', run: 3 }),
    sampleOutcome({ signal_id: 'second', status: 'retrying' }),
    sampleOutcome({ signal_id: 'second' }),
    sampleOutcome({ signal_id: 'without parent' }),
  ];
  const parents = outcomes
    .map((_, i) => `00-${TRACE}-${PARENT.slice(0, -1)}${i}-0${i === 1 ? 0 : 1}`)
    .slice(0, 5);
  await publish(outcomes, parents);
  expect(await log.caughtUp(5_000)).toBe(true);
  expect(spans.map(({ parentSpanId }) => parentSpanId.at(-1))).toEqual(['0', '4']);
  expect(spans[0]).toMatchObject({ name: 'kaizen.record', traceId: TRACE });
  expect(spans[0]?.attributes).toEqual(
    expect.arrayContaining([
      { key: 'tps.signal.id', value: { stringValue: 'first' } },
      { key: 'tps.signal.type', value: { stringValue: 'report' } },
      { key: 'tps.outcome.status', value: { stringValue: 'failed' } },
      { key: 'tps.signal.run', value: { intValue: 3 } },
    ]),
  );
  await log.stop();
});

test('a log that replaced another one is told from its beginning, and knows nothing of the runs before', async () => {
  const { log, told } = await follow();
  await publish([sampleOutcome({ signal_id: 'again' })]);
  expect(await log.caughtUp(5_000)).toBe(true);
  await (await managerOf(bus)).streams.delete(bus.names.streams.outcomes);
  const first = [sampleOutcome({ signal_id: 'again' })];
  await waitFor('a stream that takes outcomes', () => publish(first).catch(() => null));
  await waitFor('it to be told', async () => (await log.caughtUp(1_000)) && log.position === 1);
  expect(places(told).at(-1)).toEqual(['again', 0, 1, 0, false]);
  expect(log.problems()).toEqual([]);
  await log.stop();
});
