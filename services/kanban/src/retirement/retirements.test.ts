import { openBucket } from '@tps/bus';
import type { ReplyOf, Retirement } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { RetirementHarness } from './retirement-harness.fixture';

jest.setTimeout(60_000);

let rig: RetirementHarness;
beforeAll(async () => {
  rig = await RetirementHarness.start();
  // This type stays.
  await rig.announce('other');
  await waitFor('everybody to be heard', async () => {
    await rig.announce('warm-up');
    return 'retired' in (await rig.retire('warm-up'));
  });
});
beforeEach(() => {
  rig.told.length = 0;
  rig.silent.clear();
  rig.workers.clear();
  rig.onTold = async () => undefined;
});
afterAll(() => rig.stop());

const mark = (given: Partial<Retirement>): Retirement => ({
  ...{ id: 'some-id', phase: 'checking', by: 'bob', at: new Date().toISOString() },
  ...{ owner: 'kanban-9', lease_until: new Date(Date.now() - 1).toISOString() },
  ...given,
});

test('retiring a type removes its lanes, cards and leases, and leaves those of other types alone', async () => {
  await rig.announce('old');
  const { bus } = rig.dead;
  const cards = await openBucket(bus, bus.names.buckets.cards, 1);
  const leases = await openBucket(bus, bus.names.buckets.leases, 1);
  await cards.put('old', '{}');
  await leases.put('cards.old', '{"holders":{}}');
  await leases.put('rate.old', '{"holders":{}}');
  const dead = await rig.dead.letter('old');

  const reply = await rig.retire('old', { reason: 'replaced' });
  expect(reply).toMatchObject({
    retired: { signal_type: 'old', by: 'bob', reason: 'replaced', dead_letters: 1 },
  });
  expect(rig.told.map(([keeper]) => keeper).sort()).toEqual(['andon', 'heijunka', 'jidoka']);
  expect(rig.told[0]?.[1]).toMatchObject({
    signal_type: 'old',
    retirement: { by: 'bob', reason: 'replaced' },
  });
  expect(await rig.lanes('old')).toEqual([]);
  expect((await rig.lanes('other')).length).toBe(4);
  for (const [bucket, key] of [[cards, 'old'] as const, [leases, 'cards.old'] as const]) {
    expect((await bucket.get(key))?.operation).toBe('DEL');
  }
  expect(await rig.enqueue('old')).toMatchObject({
    ok: false,
    code: 'UNKNOWN_SIGNAL_TYPE',
    accepted: false,
    reason: expect.stringContaining('was retired by bob') as string,
  });
  expect(await rig.retire('old')).toMatchObject({
    refused: 'unknown',
    reason: expect.stringMatching(/"old" was retired by bob at .*: replaced/) as string,
  });

  // Its dead letters can be listed and deleted, but not requeued.
  expect((await rig.dead.list({ type: 'old' })).total).toBe(1);
  for (const filter of [{ type: 'old' }, { class: 'transient' as const }]) {
    const order = { id: `refused-${Object.keys(filter)[0]}`, filter, probe: [1], max_per_s: 10 };
    const started = await rig.dead.ask<ReplyOf<'redriveStart'>>(rig.subjects.redriveStart, order);
    expect(started).toEqual({ retired: expect.stringContaining('"old" was retired by bob') as string });
  }
  expect(await rig.dead.retry(dead)).toMatchObject<Partial<ReplyOf<'requeue'>>>({
    queued: false,
    reason: 'refused',
  });
  expect(await rig.dead.purge({ type: 'old' })).toMatchObject({ deleted: 1 });
});

test('a worker that announces a retired type brings it back as new', async () => {
  await rig.announce('back');
  expect(await rig.retire('back')).toHaveProperty('retired');
  const record = await rig.announce('back');
  expect(await waitFor('a signal', async () => (await rig.enqueue('back')).ok)).toBe(true);
  expect((await rig.types.read('back'))?.value).toEqual(record);
  await rig.drain('back');
  expect(await rig.retire('back')).toHaveProperty('retired');
});

test('a type that no worker announced is unknown', async () => {
  expect(await rig.retire('nobody')).toEqual({
    refused: 'unknown',
    reason: 'there is no signal type "nobody"',
  });
});

test('work or a worker keeps a type; the refusal names it and changes nothing', async () => {
  await rig.announce('busy');
  const before = (await rig.types.read('busy'))?.revision;
  await rig.enqueue('busy');
  expect(await rig.retire('busy')).toMatchObject({
    refused: 'has_work',
    waiting: 1,
    in_progress: 0,
    reason: expect.stringContaining('1 signals of "busy" wait') as string,
  });
  // Its signal keeps the type until the worker's heartbeat arrives.
  rig.workers.set('w7', 'busy');
  const named = async (): Promise<boolean> => {
    const reply = await rig.retire('busy');
    return 'refused' in reply && reply.refused === 'served' && reply.workers?.join() === 'w7';
  };
  for (let heard = 0; heard < 10;) heard = (await waitFor('the worker to be named', named)) ? heard + 1 : 0;
  await rig.drain('busy');
  expect(await named()).toBe(true);
  // A refused request makes no process refuse signals.
  expect((await rig.types.read('busy'))?.revision).toBe(before);
  expect((await rig.enqueue('busy')).ok).toBe(true);
  await rig.drain('busy');
});

test('a running redrive job keeps a type whose dead letters it has not requeued yet', async () => {
  await rig.announce('redriven');
  await rig.dead.letters('redriven', 2);
  const { id } = await rig.dead.redrive({ filter: { type: 'redriven' }, probe: [1] });
  await waitFor('the probe', async () => (await rig.waiting('redriven')) === 1);
  await rig.drain('redriven');
  expect(await rig.retire('redriven')).toMatchObject({ refused: 'has_work', redrives: [id] });
  await rig.dead.redriveNow(id, { cancel: true });
  await rig.drain('redriven');
  expect(await rig.retire('redriven')).toMatchObject({ retired: { dead_letters: 1 } });
});

test('a signal is never lost to a retirement at the same moment: it is refused, or its type stays', async () => {
  const ends = { refused: 0, kept: 0 };
  for (let round = 0; round < 48; round += 1) {
    const type = `race-${round % 6}`;
    await rig.announce(type);
    const retirement = rig.retire(type);
    let over = false;
    void retirement.finally(() => (over = true));
    // The signal comes at once, some round trips later, or in a phase of the retirement.
    if (round % 4 < 2)
      for (let trips = (round % 4) * round; trips > 0; trips -= 1) await rig.dead.bus.nc.flush();
    else await rig.marked(type, round % 4 === 2 ? 'checking' : 'removing');
    let accepted = 0;
    do {
      const verdicts = await Promise.all([rig.enqueue(type), rig.enqueue(type), rig.enqueue(type)]);
      accepted += verdicts.filter(({ ok }) => ok).length;
    } while (!over && accepted === 0);
    const reply = await retirement;
    const { retired } = (await rig.types.read(type))!.value;
    if ('retired' in reply) {
      // A signal that came after the last check of the stream would bring it back.
      expect({ round, accepted, phase: retired?.phase }).toEqual({ round, accepted: 0, phase: 'done' });
      ends.refused += 1;
    } else {
      expect({ round, ...reply }).toMatchObject({ round, refused: 'has_work' });
      expect({ round, retired, waiting: await rig.waiting(type) }).toEqual({ round, waiting: accepted });
      ends.kept += 1;
    }
    await rig.drain(type);
  }
  // Without both results this test proves nothing.
  expect(ends).toEqual({ refused: expect.any(Number) as number, kept: expect.any(Number) as number });
  expect(Math.min(...Object.values(ends))).toBeGreaterThan(5);
});

test('a signal that a hung process appends after the retirement brings the type back', async () => {
  const record = await rig.announce('revived');
  expect(await rig.retire('revived')).toHaveProperty('retired');
  const late = rig.signal('revived');
  const { bus } = rig.dead;
  await bus.publisher.publish(rig.subjects.work('revived', 3, late.id), JSON.stringify(late));
  await waitFor('its lane', async () => (await rig.waiting('revived')) === 1, { limitMs: 15_000 });
  expect((await rig.types.read('revived'))?.value).toEqual(record);
  expect((await rig.enqueue('revived')).ok).toBe(true);
  await rig.drain('revived');
});

test('concurrent requests retire a type once, and all get the result', async () => {
  await rig.announce('twice');
  const replies = await Promise.all([1, 2, 3, 4].map(() => rig.retire('twice')));
  const told = replies.filter((reply) => 'retired' in reply || reply.refused === 'unknown');
  expect(told).toHaveLength(4);
  const times = replies.flatMap((reply) => ('retired' in reply ? [reply.retired.at] : []));
  expect(new Set(times).size).toBe(1);
});

test('a retirement that a killed process left is undone if nothing was removed, and finished otherwise', async () => {
  for (const phase of ['checking', 'removing'] as const) {
    const record = await rig.announce('left');
    await rig.types.put('left', { ...record, retired: mark({ phase }) });
    await waitFor(`the end of ${phase}`, async () => {
      const { retired } = (await rig.types.read('left'))!.value;
      return phase === 'checking' ? !retired : retired?.phase === 'done';
    });
    expect((await rig.lanes('left')).length).toBe(phase === 'checking' ? 4 : 0);
  }
});

test('while a service does not remove its part the type is unknown, and the rest is removed later', async () => {
  await rig.announce('slow');
  rig.silent.add('jidoka');
  expect(await rig.retire('slow')).toMatchObject({ refused: 'unavailable' });
  expect(await rig.enqueue('slow')).toMatchObject({ ok: false, code: 'UNKNOWN_SIGNAL_TYPE' });
  rig.silent.clear();
  const phase = async (): Promise<string | undefined> => (await rig.types.read('slow'))?.value.retired?.phase;
  await waitFor('the rest', async () => (await phase()) === 'done', { limitMs: 20_000 });
});

test('a worker that announces the type during its removal gets it back, with its lanes', async () => {
  const record = await rig.announce('sudden');
  rig.onTold = () => rig.types.put('sudden', record);
  const reply: ReplyOf<'retire'> = await rig.retire('sudden');
  expect(reply).not.toHaveProperty('retired');
  await waitFor('its lanes', async () => (await rig.lanes('sudden')).length === 4);
  expect((await rig.enqueue('sudden')).ok).toBe(true);
  await rig.drain('sudden');
});
