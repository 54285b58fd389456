import { openBucket } from '@tps/bus';
import {
  type AndonCall,
  type AndonEvent,
  type CircuitRecord,
  type Names,
  type ReplyOf,
  type RequestOf,
  type Stop,
  WIRE_VERSION,
} from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { AndonHarness } from './andon-harness.fixture';

jest.setTimeout(30_000);

describe('calls', () => {
  let harness: AndonHarness;
  beforeAll(async () => {
    harness = await AndonHarness.start();
    await harness.andon('one');
  });
  afterAll(() => harness.close());

  const subjects = (): Names['subjects'] => harness.bus.names.subjects;
  const pull = async (given: Partial<RequestOf<'pull'>>): Promise<AndonCall> => {
    const request: RequestOf<'pull'> = {
      signal_type: 'press',
      mode: 'call',
      reason: 'noise',
      by: 'alice',
      ...given,
    };
    const reply = await harness.ask<ReplyOf<'pull'>>(subjects().pull, request);
    if (!('call' in reply)) throw new TypeError(reply.reason);
    return reply.call;
  };
  const acknowledge = (id: string, owner: string): Promise<ReplyOf<'pull'>> =>
    harness.ask(subjects().acknowledge, { id, owner });
  const resume = (id: string, owner = 'bob'): Promise<ReplyOf<'pull'>> =>
    harness.ask(subjects().resume, { id, owner, countermeasure: 'oiled it' });
  const page = (request: RequestOf<'history'>): Promise<ReplyOf<'history'>> =>
    harness.ask(subjects().history, request);
  const story = async (id: string): Promise<unknown[]> =>
    (await page({ id })).items.map(({ event, was, colour, by }) => [event, was, colour, by]).reverse();

  test('a call is pulled, acknowledged and resumed, and the history says who did what', async () => {
    const { id } = await pull({ mode: 'stop', signal_type: 'press' });
    await waitFor('a red line', async () => (await harness.board()).lines.press?.colour === 'RED');
    expect((await harness.board()).lines.press).toMatchObject({ rule: 'cord', andon_id: id, stopped: true });
    expect((await harness.board()).calls).toMatchObject([{ id, stopped: true, by: 'alice' }]);
    expect(await acknowledge(id, 'bob')).toMatchObject({ call: { id, owner: 'bob' } });
    expect(await resume(id)).toMatchObject({
      call: { id, owner: 'bob', countermeasure: 'oiled it', resumed_at: expect.any(String) as string },
    });
    expect(await resume(id)).toMatchObject({ refused: 'closed' });
    expect(await acknowledge('nobody-knows', 'bob')).toMatchObject({ refused: 'not_found' });
    await waitFor('a green line', async () => (await harness.board()).lines.press?.colour === 'GREEN');
    expect(await harness.board()).toMatchObject({ calls: [], answers: { calls: 1 } });
    await waitFor('the whole story', async () => (await story(id)).length === 4);
    expect(await story(id)).toEqual([
      ['pulled', 'GREEN', 'RED', 'alice'],
      ['acknowledged', 'RED', 'RED', 'bob'],
      ['resumed', 'RED', 'RED', 'bob'],
      ['changed', 'RED', 'GREEN', 'andon'],
    ]);
  });

  test('a call that nobody answers becomes one stop, however many replicas look at it and die', async () => {
    const second = await harness.andon('beside');
    const { id } = await pull({ signal_type: 'drill', respond_within_ms: 300 });
    expect((await harness.board()).calls).toMatchObject([{ id, mode: 'call' }]);
    await waitFor('the stop', async () => (await harness.board()).calls[0]?.mode === 'stop');
    await harness.stop(second);
    await harness.stopAll();
    await harness.andon('after');
    const [open] = await waitFor('the call', async () => {
      const { calls } = await harness.board();
      return calls.length > 0 ? calls : undefined;
    });
    expect(open).toMatchObject({ id, mode: 'stop', reason: 'noise', stopped: true });
    const told = (await page({ id })).items.map(({ event, level }) => [event, level]).reverse();
    // However late it is by now, each level was told once.
    const levels = [1, 2, 3].slice(0, told.length - 1).map((level) => ['escalated', level]);
    expect(told).toEqual([['pulled', undefined], ...levels]);
    await resume(id);
  });

  test('an id that another replica has just written is known', async () => {
    const bucket = await openBucket(harness.bus, harness.bus.names.buckets.circuits, 1);
    const since = new Date().toISOString();
    for (let n = 0; n < 20; n += 1) {
      const circuit: CircuitRecord = {
        ...{ v: WIRE_VERSION, signal_type: `new-${n}`, state: 'open', epoch: 1, reason: 'no link', since },
        ...{ pause_ms: 600_000, log_seq: 1, stops: [[since]], andon_id: `stop-${n}` },
      };
      // Not awaited, so that the request arrives right behind it.
      const written = bucket.put(circuit.signal_type, JSON.stringify(circuit));
      expect(await acknowledge(`stop-${n}`, 'bob')).toMatchObject({ call: { id: `stop-${n}` } });
      await written;
      await bucket.delete(circuit.signal_type);
      await resume(`stop-${n}`);
    }
  });

  test('a stopped line stays stopped while jidoka, which has to start it, does not answer', async () => {
    const bucket = await openBucket(harness.bus, harness.bus.names.buckets.circuits, 1);
    const since = new Date().toISOString();
    const circuit: CircuitRecord = {
      ...{ v: WIRE_VERSION, signal_type: 'lathe', state: 'open', epoch: 1, reason: 'same defect', since },
      ...{ pause_ms: 0, log_seq: 1, stops: [[since]], andon_id: 'incident', trace_id: 'cause' },
      latch: { fingerprint: 'f', signals: 5 },
    };
    await bucket.put('lathe', JSON.stringify(circuit));
    const call = await waitFor('a call', async () => (await harness.board()).calls[0]);
    expect(call).toMatchObject({
      id: 'incident',
      rule: 'defect',
      by: 'jidoka',
      fingerprint: 'f',
      trace_id: 'cause',
    });
    expect(await resume('incident')).toMatchObject({ refused: 'unavailable' });
    const asked: RequestOf<'resumeCircuit'>[] = [];
    const jidoka = harness.bus.nc.subscribe(subjects().resumeCircuit, {
      callback: (_, msg) => {
        asked.push(msg.json());
        const closed = { ...circuit, state: 'closed', latch: undefined, andon_id: undefined };
        void bucket.put('lathe', JSON.stringify(closed)).then(() => msg.respond('{"resumed":true}'));
      },
    });
    expect(await resume('incident')).toMatchObject({ call: { id: 'incident' } });
    expect(asked).toMatchObject([
      { signal_type: 'lathe', reason: expect.stringContaining('oiled it') as string },
    ]);
    jidoka.unsubscribe();
    // The same fingerprint again: the countermeasure did not help.
    await bucket.put('lathe', JSON.stringify({ ...circuit, andon_id: 'again' }));
    const again = await waitFor('another call', async () => (await harness.board()).calls[0]);
    expect(again).toMatchObject({ id: 'again', recurrence_of: 'incident', recurrences: 1 });
  });

  test('a circuit that opens three times within an hour calls a person, once', async () => {
    const bucket = await openBucket(harness.bus, harness.bus.names.buckets.circuits, 1);
    const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
    const put = (stops: Stop[]): Promise<number> => {
      const fixed = { v: WIRE_VERSION, signal_type: 'saw', state: 'open', epoch: 1, reason: 'no link' };
      const record = { ...fixed, since: ago(0), until: ago(-5), pause_ms: 0, log_seq: 1, andon_id: 'third' };
      return bucket.put('saw', JSON.stringify({ ...record, stops }));
    };
    const called = async (): Promise<AndonCall | undefined> =>
      (await harness.board()).calls.find(({ line }) => line === 'saw');
    await put([[ago(90), ago(80)], [ago(20), ago(10)], [ago(0)]]);
    await waitFor('a red line', async () => (await harness.board()).lines.saw?.colour === 'RED');
    expect(await called()).toBeUndefined();
    await put([[ago(50), ago(40)], [ago(20), ago(10)], [ago(0)]]);
    const call = await waitFor('a call', called);
    expect(call).toMatchObject({ id: 'third', mode: 'call', rule: 'repeated_stops', by: 'jidoka' });
    await waitFor('the whole story', async () => {
      const [last] = (await page({ line: 'saw', limit: 1 })).items;
      return last?.event === 'changed';
    });
  });

  test('the history comes in pages, and filters choose from it', async () => {
    const all = (await page({ limit: 1_000 })).items;
    const paged: AndonEvent[] = [];
    let cursor: string | undefined;
    do {
      const { items, next }: ReplyOf<'history'> = await page({ limit: 3, ...(cursor ? { cursor } : {}) });
      expect(items.length).toBeLessThanOrEqual(3);
      paged.push(...items);
      cursor = next ?? undefined;
    } while (cursor);
    expect(paged).toEqual(all);
    expect(all.length).toBeGreaterThan(6);
    expect((await page({ line: 'press', event: 'pulled' })).items).toMatchObject([
      { line: 'press', by: 'alice' },
    ]);
    const red = (await page({ colour: 'RED', until: new Date().toISOString() })).items;
    expect(red).toEqual(all.filter(({ colour }) => colour === 'RED'));
    expect((await page({ since: new Date(Date.now() + 60_000).toISOString() })).items).toEqual([]);
    expect(await page({ cursor: 'x' })).toHaveProperty('error');
  });
});
