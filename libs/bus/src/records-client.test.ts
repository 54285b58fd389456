import { LOOKUP_MAX_IDS, type Outcome, type ReplyOf, type RequestOf } from '@tps/contracts';
import { NatsServer, sampleOutcome } from '@tps/testkit';
import { type Bus, connectBus } from './connect';
import { latestAttempt, lookUpAll, RecordsClient, RecordsUnavailableError } from './records-client';
import { ensureStream } from './streams';

const recordOf = (id: string): ReplyOf<'lookup'>['records'][number] => ({
  id,
  outcomes: [sampleOutcome({ signal_id: id })],
});

describe('looking up signals', () => {
  test('asks again for the ids whose records did not fit into the reply', async () => {
    const asked: string[][] = [];
    const known = await lookUpAll(['a', 'b', 'c', 'b'], ({ ids: [first, ...left_out] }) => {
      asked.push([first!, ...left_out]);
      return Promise.resolve({ records: [recordOf(first!)], left_out });
    });
    expect(asked).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']]);
    expect([...known.keys()]).toEqual(['a', 'b', 'c']);
  });

  test('sends at most as many ids at once as a request may contain', async () => {
    const sizes: number[] = [];
    const ids = Array.from({ length: 2 * LOOKUP_MAX_IDS + 1 }, (_, i) => `id-${i}`);
    await lookUpAll(ids, (request) => {
      sizes.push(request.ids.length);
      return Promise.resolve({ records: [] });
    });
    expect(sizes).toEqual([LOOKUP_MAX_IDS, LOOKUP_MAX_IDS, 1]);
  });

  test('fails if a reply omits every id', async () => {
    const lookup = lookUpAll(['a'], ({ ids }) => Promise.resolve({ records: [], left_out: ids }));
    await expect(lookup).rejects.toThrow(
      new RecordsUnavailableError('the records of a do not fit into a reply'),
    );
  });
});

describe('RecordsClient', () => {
  let server: NatsServer;
  let bus: Bus;
  beforeAll(async () => {
    server = await NatsServer.start();
    bus = await connectBus({ url: server.url, name: 'test' });
  });
  afterAll(async () => {
    await bus.close();
    await server.stop();
  });

  test('fails with a typed error while nobody answers', async () => {
    await expect(new RecordsClient(bus).outcomesOf('a')).rejects.toBeInstanceOf(RecordsUnavailableError);
  });

  test('shares one request between concurrent calls, and returns no outcomes for an unknown id', async () => {
    const asked: string[][] = [];
    const subscription = bus.nc.subscribe(bus.names.subjects.lookup, {
      callback: (_, msg) => {
        const { ids } = msg.json<RequestOf<'lookup'>>();
        asked.push(ids);
        msg.respond(JSON.stringify({ records: [recordOf('a')] }));
      },
    });
    const records = new RecordsClient(bus);
    const found = await Promise.all(['a', 'unknown'].map((id) => records.outcomesOf(id)));
    expect(asked).toEqual([['a', 'unknown']]);
    expect(found).toEqual([recordOf('a').outcomes, []]);
    subscription.unsubscribe();
  });

  test('only runs with a final outcome are finished', async () => {
    const outcomes = [
      sampleOutcome({ signal_id: 'a', run: 0, final: true }),
      sampleOutcome({ signal_id: 'a', run: 1, final: false, status: 'retrying' }),
    ];
    const subscription = bus.nc.subscribe(bus.names.subjects.lookup, {
      callback: (_, msg) => void msg.respond(JSON.stringify({ records: [{ id: 'a', outcomes }] })),
    });
    const runs = [0, 1, 2].map((run) => ({ id: 'a', run }));
    expect(await new RecordsClient(bus).finishedRuns(runs)).toEqual(new Set(['a:0']));
    subscription.unsubscribe();
  });

  test('the latest attempt of a run is unknown without the stream, and absent in a stream without one', async () => {
    const lookup = (run: number): Promise<Outcome | undefined> => latestAttempt(bus, { id: 'a', run });
    await expect(lookup(0)).rejects.toBeInstanceOf(RecordsUnavailableError);
    await ensureStream(bus, 'outcomes', { replicas: 1 });
    expect(await lookup(0)).toBeUndefined();
    const subject = bus.names.subjects.outcomeAttempt('a');
    for (const attempt of [1, 2]) {
      const failed = { run: 1, attempt, status: 'retrying', final: false } as const;
      await bus.publisher.publish(subject, JSON.stringify([sampleOutcome({ signal_id: 'a', ...failed })]));
    }
    expect(await lookup(1)).toMatchObject({ attempt: 2 });
    expect(await lookup(0)).toBeUndefined();
  });
});
