import { openBucket } from '@tps/bus';
import {
  type AndonEvent,
  type CircuitRecord,
  type Outcome,
  type ReplyOf,
  WIRE_VERSION,
} from '@tps/contracts';
import { HttpReceiver, sampleOutcome, sampleType, waitFor } from '@tps/testkit';
import { AndonHarness } from './andon-harness.fixture';

jest.setTimeout(60_000);

const RESPOND_MS = 1_500;
const CALL_AFTER_MS = 1_000;

describe('a line that stays stopped or RED', () => {
  let harness: AndonHarness;
  let receiver: HttpReceiver;
  beforeAll(async () => {
    receiver = await HttpReceiver.start();
    harness = await AndonHarness.start();
    const env = {
      TPS_ANDON_WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`,
      TPS_ANDON_RESPOND_MS: String(RESPOND_MS),
      TPS_ANDON_CALL_AFTER_MS: String(CALL_AFTER_MS),
    };
    await Promise.all([harness.andon('one', env), harness.andon('two', env)]);
  });
  afterAll(async () => {
    await harness.close();
    await receiver.stop();
  });

  /** Everything that the webhook got about a line, in order. */
  const posted = (line: string): AndonEvent[] =>
    receiver.received
      .map(({ body }) => JSON.parse(body) as AndonEvent)
      .filter((event) => event.line === line);
  const kinds = (line: string): string[] =>
    posted(line).map(({ event, level }) => (level ? `${event} ${level}` : event));
  const history = async (line: string): Promise<AndonEvent[]> => {
    const { history } = harness.bus.names.subjects;
    return (await harness.ask<ReplyOf<'history'>>(history, { line })).items.reverse();
  };
  const putCircuit = async (line: string, given: Partial<CircuitRecord>): Promise<void> => {
    const bucket = await openBucket(harness.bus, harness.bus.names.buckets.circuits, 1);
    const since = new Date().toISOString();
    const record: CircuitRecord = {
      ...{ v: WIRE_VERSION, signal_type: line, state: 'open', epoch: 1, reason: 'no link', since },
      ...{ pause_ms: 600_000, log_seq: 1, stops: [[since]], andon_id: `stop-${line}` },
      ...given,
    };
    await bucket.put(line, JSON.stringify(record));
  };
  const publish = (given: Partial<Outcome>, times: number): Promise<unknown> => {
    const outcomes = Array.from({ length: times }, () => sampleOutcome(given));
    return harness.bus.publisher.publish(harness.bus.names.subjects.outcomeBatch, JSON.stringify(outcomes));
  };
  const resume = (id: string, countermeasure: string, force = false): Promise<ReplyOf<'pull'>> =>
    harness.ask(harness.bus.names.subjects.resume, { id, owner: 'bob', countermeasure, force });

  test('an open circuit makes one call, which escalates without an answer and ends with the circuit', async () => {
    const later = (ms: number): string => new Date(Date.now() + ms).toISOString();
    const since = later(0);
    await putCircuit('press', { since, until: later(60_000) });
    await waitFor('the call', () => kinds('press').includes('pulled'));
    const [call] = (await harness.board()).calls.filter(({ line }) => line === 'press');
    expect(call).toMatchObject({
      id: 'stop-press',
      rule: 'circuit',
      by: 'andon',
      automatic: true,
      stopped: false,
    });
    expect(Date.parse(call!.opened_at) - Date.parse(since)).toBeGreaterThanOrEqual(CALL_AFTER_MS);
    expect(Date.parse(call!.opened_at) - Date.parse(since)).toBeLessThan(CALL_AFTER_MS + 10_000);
    // A trial fails: another pause of the same stop.
    await putCircuit('press', {
      since,
      epoch: 3,
      until: later(120_000),
      reason: 'the trial failed: no link',
    });
    await waitFor('two escalations', () => kinds('press').includes('escalated 2'), { limitMs: 20_000 });
    const escalated = (await harness.board()).calls.filter(({ line }) => line === 'press');
    expect(escalated).toMatchObject([{ id: 'stop-press', mode: 'call', stopped: false }]);
    expect(escalated[0]?.level).toBeGreaterThanOrEqual(2);
    await putCircuit('press', { state: 'closed', stops: [] });
    await waitFor('the end', () => kinds('press').includes('closed'));
    expect(kinds('press').filter((kind) => !kind.startsWith('escalated'))).toEqual([
      ...['changed', 'pulled', 'changed', 'changed', 'closed'],
    ]);
    const told = await history('press');
    expect(told.map(({ was, colour }) => `${was} ${colour}`).slice(0, 3)).toEqual([
      ...['GREEN RED', 'RED RED', 'RED RED'],
    ]);
    expect(told.filter(({ event }) => event === 'escalated').map(({ level }) => level)).toEqual(
      [1, 2, 3].slice(0, kinds('press').filter((kind) => kind.startsWith('escalated')).length),
    );
    expect((await harness.board()).calls.filter(({ line }) => line === 'press')).toEqual([]);
    const reply = await resume('stop-press', 'nothing');
    expect(reply).toMatchObject({ refused: 'closed' });
  });

  test('a line RED by its error rate whose circuit opens, fails a trial and closes tells each step to the webhook', async () => {
    await publish({ signal_type: 'saw', status: 'failed' }, 25);
    await waitFor('a RED line', async () => (await harness.board()).lines.saw?.rule === 'error_rate');
    const changes = (): unknown[] =>
      posted('saw')
        .filter(({ event }) => event === 'changed')
        .map(({ rule, circuit, reason }) => [rule, circuit, reason.split(/[;:]/)[0]]);
    const first = new Date(Date.now() + 60_000).toISOString();
    const second = new Date(Date.now() + 120_000).toISOString();
    await putCircuit('saw', { until: first });
    await waitFor('the opening', () => changes().some((change) => (change as string[])[1] === first));
    await putCircuit('saw', { until: second, epoch: 3, reason: 'the trial failed: no link' });
    await waitFor('the failed trial', () => changes().some((change) => (change as string[])[1] === second));
    await putCircuit('saw', { state: 'closed' });
    await waitFor('the end of the stop', () => String(changes().at(-1)).includes('the circuit closed'));
    expect(changes()).toEqual([
      ['error_rate', undefined, '25 of 25 failed (100 %)'],
      ['circuit', first, 'circuit Open'],
      ['circuit', second, 'circuit Open'],
      ['error_rate', undefined, 'the circuit closed'],
    ]);
  });

  test('a type without a standard time is not RED for its p99, and its line says so', async () => {
    const types = await openBucket(harness.bus, harness.bus.names.buckets.types, 1);
    await types.put('mill-2', JSON.stringify(sampleType('mill-2', { standard_ms: 20 })));
    await waitFor('a standard time', async () => (await harness.board()).lines['mill-2']?.standard_ms === 20);
    await publish({ signal_type: 'mill', process_ms: 5_000 }, 25);
    const line = await waitFor('the line', async () => {
      const now = (await harness.board()).lines.mill;
      return now?.processed_5m === 25 ? now : undefined;
    });
    expect(line).toMatchObject({ colour: 'GREEN', standard_ms: null, p99_ms: 5_000 });
    await waitFor('the reason', async () =>
      /no standard time/.test((await harness.board()).lines.mill?.reason ?? ''),
    );
  });

  test('the same countermeasure for the same complaint is refused, and recorded when it is forced', async () => {
    const pull = async (): Promise<string> => {
      const request = { signal_type: 'lathe', mode: 'call', reason: 'noise', by: 'alice' };
      const reply = await harness.ask<ReplyOf<'pull'>>(harness.bus.names.subjects.pull, request);
      if (!('call' in reply)) throw new TypeError(reply.reason);
      return reply.call.id;
    };
    expect(await resume(await pull(), 'oiled it')).toHaveProperty('call');
    const id = await pull();
    expect((await harness.board()).calls.find(({ line }) => line === 'lathe')).toMatchObject({
      ...{ id, recurrences: 1, last_countermeasure: { owner: 'bob', text: 'oiled it' } },
    });
    expect(await resume(id, 'Oiled  it')).toMatchObject({
      refused: 'same_countermeasure',
      reason: expect.stringContaining('oiled it') as string,
    });
    expect(await resume(id, 'oiled it', true)).toMatchObject({ call: { id, forced: true } });
    const told = await waitFor('the history', async () => {
      const events = (await history('lathe')).filter(({ event }) => event === 'resumed');
      return events.length === 2 ? events : undefined;
    });
    expect(told.map(({ forced }) => forced)).toEqual([undefined, true]);
    expect(told[1]).toMatchObject({ last_countermeasure: { text: 'oiled it' } });
    await waitFor(
      'the webhook',
      () => posted('lathe').filter(({ event }) => event === 'resumed').length === 2,
    );
    expect(posted('lathe').find(({ event }) => event === 'resumed')).toMatchObject({ acknowledge_ms: null });
  });

  test('an owner who is late loses the call, and an event says so', async () => {
    const request = { signal_type: 'drill', mode: 'stop', reason: 'smoke', by: 'alice' };
    const reply = await harness.ask<ReplyOf<'pull'>>(harness.bus.names.subjects.pull, request);
    if (!('call' in reply)) throw new TypeError(reply.reason);
    const { id } = reply.call;
    const { acknowledge } = harness.bus.names.subjects;
    await harness.ask(acknowledge, { id, owner: 'bob', eta_ms: 1_000 });
    await waitFor('the event', () => kinds('drill').includes('overdue'));
    const call = (await harness.board()).calls.find(({ line }) => line === 'drill');
    expect(call).toMatchObject({ late_owner: 'bob', stopped: true });
    expect(call).not.toHaveProperty('owner');
    expect(await resume(id, 'put it out')).toHaveProperty('call');
  });
});
