import { randomUUID } from 'node:crypto';
import type { Msg, Subscription } from '@nats-io/transport-node';
import { BackupConnection } from '@tps/backup';
import { type Bus, connectBus, deleteLanes, managerOf, openBucket } from '@tps/bus';
import {
  BACKUP_APP_ID,
  type BackupStatus,
  type KanbanBoard,
  type Outcome,
  type RequestOf,
  type Signal,
  SUSPECT_HEADER,
  type TypeRecord,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, RabbitServer, sampleOutcome, sampleRetirement, sampleType, waitFor } from '@tps/testkit';
import { kanban } from '../service';

jest.setTimeout(60_000);
/** JSON.stringify runs out of stack on this, although it is below the size limit of a message. */
const DEEP = '['.repeat(40_000) + ']'.repeat(40_000);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

interface Queued {
  signal: Signal;
  suspect: boolean;
  traceparent: string;
  /** The names of its headers. */
  names: string[];
}

RabbitServer.describe('draining the backup', () => {
  let nats: NatsServer;
  let rabbit: RabbitServer;
  let bus: Bus;
  let link: BackupConnection;
  let records: Subscription;
  const services: ServiceHandle[] = [];
  /** The records, as andon would answer them. */
  const recorded = new Map<string, Outcome>();

  beforeAll(async () => {
    [nats, rabbit] = await Promise.all([NatsServer.start(), RabbitServer.start()]);
    bus = await connectBus({ url: nats.url, name: 'test' });
    records = answerLookups();
    await start('kanban-1', 50);
    const types = await openBucket(bus, bus.names.buckets.types, 1);
    const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
    for (const name of ['demo', 'other']) {
      const record: TypeRecord = { v: 1, name, timeout_ms: 30_000, retry, registered_at: '' };
      await types.put(name, JSON.stringify(record));
    }
    await waitFor('the lanes', async () => Object.keys((await board()).lanes).length === 8);
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
    const queue = 'tps.backup';
    link = await BackupConnection.open({ url: rabbit.url, queue, maxLength: 55, name: 'test', log });
    await waitFor('the connection', () => link.connected);
  }, 90_000);
  beforeEach(async () => {
    await empty();
    await waitFor('an empty queue', async () => (await board()).queue_depth === 0);
  });
  afterAll(async () => {
    for (const service of services) await service.stop();
    await link?.close();
    await bus?.close();
    await nats?.stop();
    await rabbit?.stop();
  }, 60_000);

  async function start(instance: string, buffer: number): Promise<ServiceHandle> {
    const env = {
      NATS_URL: nats.url,
      RABBITMQ_URL: rabbit.url,
      METRICS_PORT: 'disabled',
      LOG_LEVEL: 'error',
    };
    const given = { ...env, INSTANCE_ID: instance, TPS_KANBAN_BUFFER: `${buffer}` };
    const service = await startService(kanban, given, (error) => console.error(error));
    services.push(service);
    return service;
  }
  function answerLookups(): Subscription {
    const callback = (_: unknown, msg: Msg): void => {
      const found = msg.json<RequestOf<'lookup'>>().ids.flatMap((id) => recorded.get(id) ?? []);
      const answer = found.map((outcome) => ({ id: outcome.signal_id, outcomes: [outcome] }));
      msg.respond(JSON.stringify({ records: answer }));
    };
    return bus.nc.subscribe(bus.names.subjects.lookup, { callback });
  }
  async function board(): Promise<KanbanBoard> {
    const reply = await bus.nc.request(bus.names.subjects.board('kanban'), '', { timeout: 5_000 });
    return reply.json<KanbanBoard>();
  }
  const backup = async (): Promise<BackupStatus> => (await board()).backup;
  /** The counts that a test adds. */
  async function since(before: BackupStatus): Promise<[reconciled: number, suppressed: number]> {
    const { reconciled, duplicates_suppressed } = await backup();
    return [reconciled - before.reconciled, duplicates_suppressed - before.duplicates_suppressed];
  }
  function put(
    body: string | object,
    options: { messageId?: string; headers?: object; appId?: string } = {},
  ): Promise<void> {
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    return new Promise((done, reject) => {
      link.channel?.sendToQueue(
        'tps.backup',
        bytes,
        { persistent: true, ...options },
        (error: Error | null) => (error ? reject(error) : done()),
      );
    });
  }
  async function queued(id: string): Promise<Queued> {
    const message = await waitFor(`${id} in the queue`, async () => {
      const query = { last_by_subj: `tps.kanban.*.*.${id}` };
      return (await managerOf(bus)).streams.getMessage(bus.names.streams.kanban, query);
    });
    const { header } = message;
    return {
      signal: message.json<Signal>(),
      suspect: header.get(SUSPECT_HEADER) === '1',
      traceparent: header.get('traceparent'),
      names: header.keys(),
    };
  }
  async function lettersOf(subject: string): Promise<Record<string, unknown>[]> {
    const jsm = await managerOf(bus);
    const { state } = await jsm.streams.info(bus.names.streams.dead);
    const letters: Record<string, unknown>[] = [];
    for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq += 1) {
      const message = await jsm.streams.getMessage(bus.names.streams.dead, { seq });
      if (message?.subject === subject) letters.push(message.json<Record<string, unknown>>());
    }
    return letters;
  }
  async function empty(): Promise<void> {
    const jsm = await managerOf(bus);
    const { state } = await jsm.streams.info(bus.names.streams.kanban);
    for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
      await jsm.streams.deleteMessage(bus.names.streams.kanban, seq, false).catch(() => false);
    }
  }
  const signal = (given: object = {}): object => ({
    ...{ v: 1, id: randomUUID(), run: 0, signal_type: 'demo', priority: 2, payload: { n: 1 } },
    ...{ timeout_ms: 600_000, created_at: new Date().toISOString() },
    ...given,
  });

  test('a signal goes into the queue as a suspect, on its trace', async () => {
    const before = await backup();
    const given = signal({ reply_to: '_INBOX.abc' }) as Signal;
    const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, tracestate: 'a=1\r\nNats-Rollup: all' };
    await put(given, { messageId: given.id, headers });
    const { signal: got, suspect, traceparent, names } = await queued(given.id);
    expect(got).toEqual(given);
    expect(names.sort()).toEqual(['Nats-Msg-Id', SUSPECT_HEADER, 'traceparent'].sort());
    expect(suspect).toBe(true);
    expect(traceparent).toContain(TRACE);
    await waitFor('the count', async () => (await since(before))[0] === 1);
    await waitFor('nothing to be left there', async () => (await backup()).on_backup === 0);
    expect(await backup()).toMatchObject({ configured: true, reachable: true, active: false });
  });

  test('other systems may omit fields with defaults; the id follows from the name of the message', async () => {
    const named = { signal_type: 'demo', payload: { from: 'elsewhere' } };
    const before = await backup();
    await put(named, { messageId: 'order 17' });
    await put(named, { messageId: 'order 17' });
    await put(named);
    await waitFor('all three', async () => (await since(before)).join() === '2,1');
    const { queue_depth } = await board();
    expect(queue_depth).toBe(2);
  });

  test('signals that are queued already, or finished according to the records, are not queued again', async () => {
    const before = await backup();
    const given = signal() as Signal;
    await bus.nc.request(bus.names.subjects.enqueue, JSON.stringify([given]));
    await put(given);
    const done = signal() as Signal;
    recorded.set(done.id, sampleOutcome({ signal_id: done.id, signal_type: 'demo' }));
    await put(done);
    await waitFor('both to be suppressed', async () => (await since(before)).join() === '0,2');
    expect((await board()).queue_depth).toBe(1);
  });

  test.each([
    ['no JSON', '{"signal_type": "demo"', /no JSON/],
    ['no object', '[]', /the body/],
    ['no payload', { signal_type: 'demo' }, /\/payload/],
    ['a type that would be a subject', { signal_type: 'demo.>', payload: {} }, /\/signal_type/],
    ['a type that nobody registered', { signal_type: 'nosuch', payload: {} }, /\/signal_type/],
    ['a reply to anywhere', { ...signal(), reply_to: '$JS.API.STREAM.DELETE.KANBAN' }, /\/reply_to/],
    ['a date that is none', { ...signal(), created_at: 'soon' }, /\/created_at/],
    ['a polluted prototype', '{"__proto__": {"signal_type": "demo", "payload": {}}}', /\/__proto__/],
    ['a field that is not known', { signal_type: 'demo', payload: {}, timeout: 5 }, /\/timeout/],
    [
      'a field twice',
      '{"signal_type":"demo","payload":{},"priority":1,"priority":4}',
      /\/priority: is given twice/,
    ],
    ['a number that would change', '{"signal_type":"demo","payload":{"n":9007199254740993}}', /\/payload\/n/],
    ['a number that would be null', '{"signal_type":"demo","payload":{"n":1e400}}', /\/payload\/n/],
    ['a value too deep to encode', `{"signal_type":"demo","payload":{"n":${DEEP}}}`, /nested deeper/],
  ])('%s is kept as a dead letter, and the next is not held up', async (_, body, reason) => {
    const before = (await lettersOf('tps.dead.backup')).length;
    await put(body, { headers: { traceparent: { not: 'text' } } });
    const next = signal() as Signal;
    await put(next);
    await queued(next.id);
    const letter = await waitFor('the letter', async () => (await lettersOf('tps.dead.backup'))[before]);
    expect(letter).toMatchObject({ invalid: true, reason: expect.stringMatching(reason) as string });
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    expect(Buffer.from(letter.data as string, 'base64').toString()).toBe(text);
    await waitFor('nothing to be left', async () => (await backup()).on_backup === 0);
  });

  test('a signal that a gateway accepted brings its retired type back; a message of others does not', async () => {
    const types = await openBucket(bus, bus.names.buckets.types, 1);
    await deleteLanes(bus, 'other');
    await types.put('other', JSON.stringify(sampleType('other', { retired: sampleRetirement() })));
    await waitFor('it to be unknown', async () => !('other' in (await board()).types));
    const before = (await lettersOf('tps.dead.backup')).length;
    await put(signal({ signal_type: 'other' }));
    const letter = await waitFor('the letter', async () => (await lettersOf('tps.dead.backup'))[before]);
    expect(letter.reason).toMatch(/"other" was retired by bob/);
    const accepted = signal({ signal_type: 'other' }) as Signal;
    await put(accepted, { appId: BACKUP_APP_ID });
    await queued(accepted.id);
    await waitFor('its lane', async () => (await board()).lanes.other_2?.waiting === 1);
    expect((await types.get('other'))?.json()).toEqual(sampleType('other'));
  });

  test('a signal that is too late expires, unless the records say that it is finished', async () => {
    const late = signal({ timeout_ms: 1, created_at: new Date(Date.now() - 60_000).toISOString() }) as Signal;
    records.unsubscribe();
    await put(late);
    await waitFor('it to be held', async () => (await backup()).on_backup === 1);
    records = answerLookups();
    const letter = await waitFor('its letter', async () =>
      (await lettersOf('tps.dead.demo')).find(({ signal: of }) => (of as Signal | undefined)?.id === late.id),
    );
    expect(letter.outcome).toMatchObject({ status: 'expired', final: true });
  });

  test('a full queue delays the drainer, which loses nothing', async () => {
    const fill = Array.from({ length: 55 }, () => signal({ priority: 1 }));
    await bus.nc.request(bus.names.subjects.enqueue, JSON.stringify(fill), { timeout: 5_000 });
    const given = signal() as Signal;
    await put(given);
    await waitFor('it to be held', async () => (await backup()).on_backup === 1);
    await empty();
    await queued(given.id);
  });

  test('a backlog leaves half of the buffer to new signals, and does not delay other types', async () => {
    const given = Array.from({ length: 40 }, () => signal() as Signal);
    for (const one of given) await put(one);
    const other = signal({ signal_type: 'other' }) as Signal;
    await put(other);
    await queued(other.id);
    const { queue_depth } = await waitFor('the deferred signals', async () => {
      const now = await board();
      return now.lanes.demo_2?.waiting === 24 ? now : null;
    });
    expect(queue_depth).toBe(41);
    // No worker runs here, so the counts stay.
    await waitFor('the fresh figures', async () => (await backup()).on_backup === 16);
    await empty();
    for (const one of given.slice(24)) await queued(one.id);
  });

  test('while NATS is down signals wait on the backup, and move later', async () => {
    await nats.kill();
    const given = Array.from({ length: 20 }, () => signal() as Signal);
    for (const one of given) await put(one);
    await nats.restart();
    for (const one of given) await queued(one.id);
    await waitFor('the backup to be empty', async () => (await backup()).on_backup === 0);
  });

  test('one of two processes drains, and the other takes over when it stops', async () => {
    const second = await start('kanban-2', 50);
    const first = services[0] as ServiceHandle;
    const before = signal() as Signal;
    await put(before);
    await queued(before.id);
    await first.stop();
    services.shift();
    const after = signal() as Signal;
    await put(after);
    await queued(after.id);
    expect(services).toEqual([second]);
  });
});
