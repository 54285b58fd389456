import { openBucket } from '@tps/bus';
import type { CircuitRecord, RedriveJob, ReplyOf } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { DeadLetterHarness } from './dead-letter-harness.fixture';

jest.setTimeout(60_000);

let rig: DeadLetterHarness;
beforeAll(async () => {
  rig = await DeadLetterHarness.start();
  await Promise.all([rig.work('demo'), rig.work('twin')]);
});
beforeEach(() => {
  rig.repaired = true;
  rig.recordsAnswer = true;
});
afterEach(() => rig.purge({ type: 'demo' }));
afterAll(() => rig.stop());

test('a job on a type that still fails runs one signal, stops at that probe and says why', async () => {
  rig.repaired = false;
  const all = await rig.letters('demo', 20);
  const result = await rig.ended(await rig.redrive({ filter: { type: 'demo' } }));
  expect(result).toMatchObject({
    state: 'stopped',
    matched: 20,
    redriven: 1,
    probes_succeeded: 0,
    stopped: { at: 'probe 1 of 2', signal_id: all[0], run: 1, status: 'failed', message: 'again' },
  });
  expect(rig.runsOf(all)).toEqual([`${all[0]}:1`]);
  expect((await rig.list({ type: 'demo' })).total).toBe(20);
  expect(await rig.deadLetterOf(all[0]!)).toMatchObject({ run: 1 });

  rig.repaired = true;
  const second = await rig.ended(await rig.redrive({ filter: { type: 'demo' } }));
  expect(second).toMatchObject({ state: 'completed', matched: 20, redriven: 20, probes_succeeded: 6 });
  await waitFor('all runs', () => rig.runsOf(all).length === 21);
  expect(new Set(rig.runsOf(all)).size).toBe(21);
  expect((await rig.list({ type: 'demo' })).total).toBe(0);
});

test('a dry run only counts; a job takes only the dead letters that match its filter', async () => {
  const all = await rig.letters('demo', 3);
  const request = { id: 'dry', filter: { type: 'demo' }, probe: [1], max_per_s: 10, dry_run: true };
  expect(await rig.ask(rig.bus.names.subjects.redriveStart, request)).toEqual({
    dry_run: true,
    matched: 3,
    types: { demo: 3 },
  });
  expect(await rig.ended(await rig.redrive({ filter: { ids: [all[1]!] } }))).toMatchObject({ redriven: 1 });
  expect(rig.runsOf(all)).toEqual([`${all[1]}:1`]);
  expect(await rig.ended(await rig.redrive({ filter: { type: 'nothing' } }))).toMatchObject({
    state: 'completed',
    matched: 0,
  });
});

test('a job probes each type, keeps its rate, and does not requeue signals that fail again', async () => {
  await rig.letters('demo', 4);
  const twins = await rig.letters('twin', 4);
  const began = Date.now();
  const order = {
    filter: { ids: [...twins, ...(await rig.list({ type: 'demo' })).items.map((i) => i.signal_id)] },
  };
  const result = await rig.ended(await rig.redrive({ ...order, probe: [2], max_per_s: 10 }));
  expect(result).toMatchObject({ state: 'completed', redriven: 8, probes_succeeded: 2 });
  expect(Date.now() - began).toBeGreaterThanOrEqual(500);
  rig.repaired = false;
  const broken = await rig.letters('demo', 3);
  const bold = await rig.ended(await rig.redrive({ filter: { ids: broken }, probe: [] }));
  expect(bold).toMatchObject({ state: 'completed', redriven: 3 });
  await waitFor('the letters', async () => (await rig.list({ type: 'demo' })).total === 3);
  expect(rig.runsOf(broken)).toHaveLength(3);
});

test('two jobs on the same dead letters run each signal once', async () => {
  const all = await rig.letters('demo', 30);
  const both = await Promise.all([
    rig.redrive({ filter: { ids: all } }),
    rig.redrive({ filter: { ids: all } }),
  ]);
  const results = await Promise.all(both.map((one) => rig.ended(one)));
  expect(results.map(({ state }) => state)).toEqual(['completed', 'completed']);
  await waitFor('all runs', () => rig.runsOf(all).length >= 30);
  expect(rig.runsOf(all).sort()).toEqual(all.map((id) => `${id}:1`).sort());
});

test('exactly the maximum runs when many are started at the same instant', async () => {
  const all = await rig.letters('demo', 24);
  const orders = Array.from({ length: 12 }, (_, n) => ({
    ...{
      id: `many-${n}`,
      filter: { ids: all.slice(2 * n, 2 * n + 2) },
      probe: [],
      max_per_s: 0.1,
      dry_run: false,
    },
  }));
  const answers = await Promise.all(
    orders.map((order) => rig.ask<ReplyOf<'redriveStart'>>(rig.bus.names.subjects.redriveStart, order)),
  );
  const started = answers.flatMap((answer) => ('redrive' in answer ? answer.redrive.id : []));
  expect(started).toHaveLength(8);
  expect(answers.filter((answer) => 'refused' in answer)).toHaveLength(4);
  for (const id of started)
    expect(await rig.redriveNow(id, { cancel: true })).toMatchObject({ state: 'cancelled' });
});

test('a job continues where it was after a restart of its process', async () => {
  const all = await rig.letters('demo', 30);
  const running = await rig.redrive({ filter: { ids: all }, max_per_s: 20 });
  await waitFor('some runs', () => rig.runsOf(all).length > 8);
  await rig.service.stop();
  const before = rig.runsOf(all).length;
  expect(before).toBeLessThan(30);
  rig.service = await rig.another('kanban-after');
  const result = await rig.ended(running);
  expect(result).toMatchObject({ state: 'completed', owner: 'kanban-after', matched: 30 });
  await waitFor('all runs', () => rig.runsOf(all).length >= 30);
  expect(rig.runsOf(all).sort()).toEqual(all.map((id) => `${id}:1`).sort());
});

test('another process takes over from one that was killed at its probes, and requeues none of them again', async () => {
  const all = await rig.letters('demo', 3);
  const [queuedBefore, next] = all as [string, string];
  expect(await rig.retry(queuedBefore)).toMatchObject({ queued: true });
  const now = new Date().toISOString();
  const lost: RedriveJob = {
    ...{ v: 1, id: 'orphan', state: 'running', filter: { ids: all }, probe: [2], max_per_s: 100, phase: 0 },
    ...{ up_to_seq: 1_000_000, matched: 3, redriven: 0, probes_succeeded: 0, skipped: 0 },
    probing: [queuedBefore, next].map((id) => ({ id, run: 1, type: 'demo' })),
    ...{ created_at: now, updated_at: now, owner: 'killed' },
    lease_until: new Date(Date.now() - 1).toISOString(),
  };
  const bucket = await openBucket(rig.bus, rig.bus.names.buckets.redrives, 1);
  await bucket.put(lost.id, JSON.stringify(lost));
  const result = await waitFor('the end', async () => {
    const now = await rig.redriveNow(lost.id);
    return now.state === 'running' ? null : now;
  });
  expect(result).toMatchObject({ state: 'completed', probes_succeeded: 2, redriven: 2 });
  await waitFor('all runs', () => rig.runsOf(all).length >= 3);
  expect(rig.runsOf(all).sort()).toEqual(all.map((id) => `${id}:1`).sort());
});

test('a job can be cancelled, and stops at a stopped line', async () => {
  const all = await rig.letters('demo', 40);
  const running = await rig.redrive({ filter: { ids: all }, max_per_s: 10 });
  await waitFor('some runs', () => rig.runsOf(all).length > 7);
  expect(await rig.redriveNow(running.id, { cancel: true })).toMatchObject({ state: 'cancelled' });
  const left = (await rig.list({ ids: all })).total;
  expect(left).toBeGreaterThan(0);
  const circuits = await openBucket(rig.bus, rig.bus.names.buckets.circuits, 1);
  const record: CircuitRecord = {
    ...{
      v: 1,
      signal_type: 'demo',
      state: 'open',
      epoch: 1,
      reason: 'test',
      pause_ms: 600_000,
      log_seq: 1,
    },
    ...{ since: new Date().toISOString(), until: new Date(Date.now() + 600_000).toISOString(), stops: [] },
  };
  await circuits.put('demo', JSON.stringify(record));
  const held = await waitFor('the stop', async () => {
    const result = await rig.ended(await rig.redrive({ filter: { ids: all } }));
    return result.state === 'stopped' ? result : null;
  });
  expect(held).toMatchObject({ stopped: { reason: 'the line of demo is stopped' } });
  await circuits.put('demo', JSON.stringify({ ...record, state: 'closed' }));
});

test('a requeued run that waits can be cancelled', async () => {
  const id = await rig.letter('idle');
  expect(await rig.retry(id)).toMatchObject({ queued: true, run: 1 });
  const { openRuns } = rig.bus.names.subjects;
  expect(await rig.ask(openRuns, { ids: [id, 'nobody'] })).toEqual({ runs: { [id]: 1 } });
  const cancelled = await rig.ask(rig.bus.names.subjects.cancel, { id });
  expect(cancelled).toMatchObject({ cancelled: true, outcome: { status: 'cancelled', run: 1 } });
  expect(await rig.queued(id)).toEqual([]);
});
