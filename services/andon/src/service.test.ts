import { type Bus, managerOf, openBucket } from '@tps/bus';
import {
  type AndonBoard,
  type AndonEvent,
  type CircuitRecord,
  type Outcome,
  type ReplyOf,
  type RequestOf,
  SERVICES,
  WIRE_VERSION,
} from '@tps/contracts';
import { freePort, sampleOutcome, waitFor } from '@tps/testkit';
import { AndonHarness } from './andon-harness.fixture';

// Lights are assessed once a second, and stations only when there was time to hear from them.
jest.setTimeout(30_000);

let harness: AndonHarness;
let bus: Bus;

const publish = (outcomes: Partial<Outcome>[]): Promise<unknown> =>
  bus.publisher.publish(bus.names.subjects.outcomeBatch, JSON.stringify(outcomes.map(sampleOutcome)));

const board = (): Promise<AndonBoard> => harness.board();
const lookup = (request: RequestOf<'lookup'>): Promise<ReplyOf<'lookup'>> =>
  harness.ask(bus.names.subjects.lookup, request);
const statuses = ({ records }: ReplyOf<'lookup'>): unknown =>
  records.map(({ id, outcomes }) => [id, ...outcomes.map(({ status }) => status)]);

async function events(line: string): Promise<AndonEvent[]> {
  const stream = bus.names.streams.andon;
  const { state } = await (await managerOf(bus)).streams.info(stream);
  const found: AndonEvent[] = [];
  for (let seq = 1; seq <= state.last_seq; seq += 1) {
    const message = await (await managerOf(bus)).direct.getMessage(stream, { seq });
    const event = message?.json<AndonEvent>();
    if (event?.line === line) found.push(event);
  }
  return found;
}

beforeAll(async () => {
  harness = await AndonHarness.start();
  bus = harness.bus;
  await harness.andon('one');
});
afterAll(() => harness.close());

test('a lookup finds what was just recorded, oldest first', async () => {
  const attempt = sampleOutcome({ signal_id: 'a', status: 'retrying' });
  await bus.publisher.publish(bus.names.subjects.outcomeAttempt('a'), JSON.stringify([attempt]));
  await publish([{ signal_id: 'b' }, { signal_id: 'a' }]);
  await publish([{ signal_id: 'a', status: 'failed' }]);
  expect(statuses(await lookup({ ids: ['b', 'nobody', 'a'] }))).toEqual([
    ['b', 'succeeded'],
    ['a', 'retrying', 'succeeded', 'failed'],
  ]);
  expect(await lookup({ ids: [] })).toEqual({ records: [] });
});

test('a lookup that waits is answered when the outcome arrives, or at its end', async () => {
  const waiting = lookup({ ids: ['b', 'late'], wait_ms: 20_000 });
  await waitFor('the request to be there', async () => statuses(await lookup({ ids: ['b'] })));
  await publish([{ signal_id: 'late' }]);
  expect(statuses(await waiting)).toEqual([
    ['b', 'succeeded'],
    ['late', 'succeeded'],
  ]);
  expect(await lookup({ ids: ['never'], wait_ms: 50 })).toEqual({ records: [] });
});

test('an unreadable outcome is skipped, and a wrong request is refused', async () => {
  const subject = bus.names.subjects.outcomeBatch;
  await bus.publisher.publish(subject, 'not json');
  await bus.publisher.publish(subject, JSON.stringify([7, sampleOutcome({ signal_id: 'beside' })]));
  bus.nc.publish(bus.names.subjects.heartbeat('worker'), 'no beat');
  expect(statuses(await lookup({ ids: ['beside'] }))).toEqual([['beside', 'succeeded']]);
  const tooMany = Array.from({ length: 257 }, (_, i) => `${i}`);
  expect(await lookup({ ids: tooMany })).toHaveProperty('error');
  expect(await lookup({} as RequestOf<'lookup'>)).toHaveProperty('error');
});

test('a line turns red, two replicas record it once, and a restart changes nothing', async () => {
  const second = await harness.andon('two');
  await publish(
    Array.from({ length: 25 }, () => ({ signal_type: 'bad', status: 'failed' as const, trace_id: 'cause' })),
  );
  await publish(Array.from({ length: 25 }, () => ({ signal_type: 'good' })));
  const seen = await waitFor('a red line', async () => {
    const now = await board();
    return now.lines.bad?.colour === 'RED' ? now : undefined;
  });
  expect(seen.colour).toBe('RED');
  expect(seen.lines.bad).toMatchObject({
    rule: 'error_rate',
    error_rate: 100,
    processed_5m: 25,
    trace_id: 'cause',
  });
  expect(seen.lines.good).toMatchObject({ colour: 'GREEN', p99_ms: 50, circuit: 'Closed' });
  expect(Object.keys(seen.stations)).toEqual([...SERVICES]);
  const [event, ...more] = await waitFor('the event', async () => {
    const found = await events('bad');
    return found.length > 0 ? found : undefined;
  });
  expect(event).toMatchObject({
    v: 1,
    colour: 'RED',
    was: 'GREEN',
    rule: 'error_rate',
    trace_id: 'cause',
    by: 'andon',
  });
  expect(more).toEqual([]);

  await harness.stop(second);
  await harness.stopAll();
  await harness.andon('three');
  const again = await waitFor('the board', async () => {
    const now = await board();
    return now.lines.bad?.processed_5m === 25 ? now : undefined;
  });
  expect(again.lines.bad).toMatchObject({ colour: 'RED', since: event?.at });
  expect(statuses(await lookup({ ids: ['late'] }))).toEqual([['late', 'succeeded']]);
});

test('a missing station is red and comes back; an open circuit is red until it closes', async () => {
  const record: CircuitRecord = {
    v: WIRE_VERSION,
    signal_type: 'held',
    state: 'open',
    epoch: 1,
    reason: 'five failures in a row',
    since: new Date().toISOString(),
    until: new Date(Date.now() + 600_000).toISOString(),
    pause_ms: 30_000,
    log_seq: 1,
    stops: [],
  };
  const bucket = await openBucket(bus, bus.names.buckets.circuits, 1);
  await bucket.put('held', JSON.stringify(record));
  await waitFor('a red line', async () => (await board()).lines.held?.colour === 'RED');
  expect((await board()).lines.held).toMatchObject({ rule: 'circuit', circuit: 'Open' });
  await waitFor('a red station', async () => (await board()).stations.kanban.colour === 'RED');
  await waitFor('a ready station', async () => {
    const { up, colour } = (await board()).stations.andon;
    return up && colour === 'GREEN';
  });
  expect((await board()).stations.andon).toMatchObject({
    ...{ colour: 'GREEN', up: true, replicas: 1 },
    instances: [{ instance: 'three', ready: true }],
  });

  await bucket.put('held', JSON.stringify({ ...record, state: 'closed' }));
  await waitFor('a green line', async () => (await board()).lines.held?.colour === 'GREEN');
  expect(
    (
      await waitFor('both events', async () => {
        const found = await events('held');
        return found.length === 2 ? found : undefined;
      })
    ).map(({ was, colour }) => [was, colour]),
  ).toEqual([
    ['GREEN', 'RED'],
    ['RED', 'GREEN'],
  ]);
});

test('a restart counts what the lines finished in the last hour again', async () => {
  const charts = async (): Promise<number> => {
    const { lines } = await harness.ask<ReplyOf<'charts'>>(bus.names.subjects.charts, { type: 'charted' });
    return (lines.charted?.finished ?? []).reduce((sum, count) => sum + count, 0);
  };
  await publish(Array.from({ length: 7 }, () => ({ signal_type: 'charted' })));
  await waitFor('the figures', async () => (await charts()) === 7);
  await harness.stopAll();
  await harness.andon('four');
  await waitFor('the same figures', async () => (await charts()) === 7);
});

test('a replica that has not read the log yet leaves look-ups to the others', async () => {
  const many = Array.from({ length: 100 }, () => ({ signal_type: 'many' }));
  for (let n = 0; n < 100; n += 1) await Promise.all(Array.from({ length: 12 }, () => publish(many)));
  await publish([{ signal_id: 'known' }]);
  const found = async (): Promise<unknown> => statuses(await lookup({ ids: ['known'] }));
  await waitFor('the first replica to have read it', async () =>
    JSON.stringify(await found()).includes('known'),
  );
  const port = await freePort();
  const isReady = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok;
  const starting = harness.andon('five', { METRICS_PORT: String(port) });
  while (!(await isReady().catch(() => false))) expect(await found()).toEqual([['known', 'succeeded']]);
  await starting;
});
