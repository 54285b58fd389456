import { encodeHeaders, headerValues, managerOf } from '@tps/bus';
import type { DeadLetterFilter, Outcome } from '@tps/contracts';
import { sampleOutcome, waitFor } from '@tps/testkit';
import { DeadLetterHarness } from './dead-letter-harness.fixture';

jest.setTimeout(60_000);

let rig: DeadLetterHarness;
beforeAll(async () => (rig = await DeadLetterHarness.start()));
beforeEach(() => {
  rig.repaired = true;
  rig.recordsAnswer = true;
});
afterAll(() => rig.stop());

/** Dead letters are ordered by the millisecond in which they were stored. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  await waitFor('the next millisecond', () => Date.now() > now + 1, { everyMs: 1 });
}

test('dead letters are listed newest first, by filter and in pages; a single one is shown with its contents', async () => {
  const first = await rig.letter('listed', { error_class: 'defect', fingerprint: 'abc', message: 'broken' });
  await nextMillisecond();
  const old = await rig.letter('listed', { status: 'expired', error_class: 'capacity' }, true);
  const last = await rig.letter('listed');
  await rig.letter('other');
  const idsOf = async (filter: DeadLetterFilter): Promise<string[]> =>
    (await rig.list({ type: 'listed', ...filter })).items.map(({ signal_id }) => signal_id);
  expect(await idsOf({})).toEqual([last, old, first]);
  expect(await idsOf({ status: 'expired' })).toEqual([old]);
  expect(await idsOf({ class: 'defect' })).toEqual([first]);
  expect(await idsOf({ fingerprint: 'abc' })).toEqual([first]);
  const middle = (await rig.deadLetterOf(old))!.dead_at;
  expect(await idsOf({ since: middle })).toEqual([last, old]);
  expect(await idsOf({ until: middle })).toEqual([first]);
  expect(await idsOf({ ids: [first, last, 'nobody'] })).toEqual([last, first]);
  const page = await rig.list({ type: 'listed' }, { limit: 2 });
  expect(page).toMatchObject({ items: [{ signal_id: last }, { signal_id: old }], total: 3 });
  const rest = await rig.list({ type: 'listed' }, { limit: 2, cursor: page.next! });
  expect(rest).toMatchObject({ items: [{ signal_id: first }], next: null });
  expect(rest.items[0]).toMatchObject({ error_class: 'defect', message: 'broken', status: 'failed', run: 0 });
  expect(rest.items[0]).not.toHaveProperty('payload');
  expect(await rig.deadLetterOf(first)).toMatchObject({
    payload: { keep: first },
    outcome: { signal_id: first },
  });
  expect(await rig.deadLetterOf('nobody')).toBeNull();
});

test('a dead letter that another replica deleted disappears from the list at once', async () => {
  const [one, other] = await rig.letters('shared', 2);
  expect((await rig.list({ type: 'shared' })).total).toBe(2);
  const second = await rig.another('kanban-2');
  // Both replicas must give the same answer.
  await rig.purge({ ids: [one!] });
  const seen = await Promise.all(Array.from({ length: 10 }, () => rig.list({ type: 'shared' })));
  expect(new Set(seen.map(({ items }) => items.map(({ signal_id }) => signal_id).join()))).toEqual(
    new Set([other]),
  );
  await second.stop();
});

test('deleting needs a filter, and deletes only the dead letters that match it', async () => {
  await rig.letters('purged', 30);
  const kept = await rig.letter('kept');
  expect(await rig.ask(rig.bus.names.subjects.purge, { filter: {} })).toHaveProperty('error');
  expect(await rig.purge({ type: 'purged', status: 'failed' })).toEqual({ deleted: 30, remaining: 0 });
  expect((await rig.list({ type: 'purged' })).total).toBe(0);
  expect(await rig.deadLetterOf(kept)).not.toBeNull();
});

test('requeueing queues the next run and then removes the dead letter; the run cannot be queued twice', async () => {
  const id = await rig.letter('retried');
  const replies = await Promise.all([rig.retry(id), rig.retry(id), rig.retry(id)]);
  const won = replies.filter((reply) => reply.queued);
  expect(won[0]).toMatchObject({ run: 1, signal_type: 'retried', timeout_ms: 600_000 });
  for (const reply of replies) if (!reply.queued) expect(['overtaken', 'no_letter']).toContain(reply.reason);
  const [signal, ...more] = await rig.queued(id);
  expect(more).toEqual([]);
  expect(signal).toMatchObject({ run: 1, payload: { keep: id } });
  expect(signal).not.toHaveProperty('reply_to');
  expect(Date.parse(signal!.created_at)).toBeGreaterThan(Date.now() - 30_000);
  expect(await rig.deadLetterOf(id)).toBeNull();
  expect(await rig.retry(id)).toEqual({ queued: false, reason: 'no_letter' });
});

test('requeueing continues the trace of the request', async () => {
  const id = await rig.letter('traced');
  const { nc, names } = rig.bus;
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const headers = encodeHeaders(Object.entries({ traceparent, tracestate: 'vendor=1' }));
  await nc.request(names.subjects.requeue, JSON.stringify({ id }), { headers, timeout: 10_000 });
  const last_by_subj = names.subjects.work('traced', 3, id);
  const message = await (await managerOf(rig.bus)).streams.getMessage(names.streams.kanban, { last_by_subj });
  expect(headerValues(message?.header, 'traceparent')[0]).toContain('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(headerValues(message?.header, 'tracestate')).toEqual(['vendor=1']);
});

test('a dead letter that a crash left behind is overtaken, as the queue or the records tell', async () => {
  const waiting = await rig.letter('crashed');
  const body = await rig.deadLetterOf(waiting);
  await rig.retry(waiting);
  const again = (id: string, outcome: Outcome): Promise<unknown> => {
    const { signal_type, priority, enqueued_at: created_at } = outcome;
    const signal = { v: 1, id, run: 0, signal_type, priority, payload: {}, timeout_ms: 30_000, created_at };
    return rig.bus.publisher.publish(
      rig.bus.names.subjects.dead('crashed'),
      JSON.stringify({ v: 1, signal, outcome }),
    );
  };
  await again(waiting, body!.outcome!);
  expect(await rig.retry(waiting)).toEqual({ queued: false, reason: 'overtaken' });
  expect(await rig.queued(waiting)).toHaveLength(1);

  const finished = sampleOutcome({ signal_id: 'ended-well', signal_type: 'crashed', status: 'failed' });
  rig.outcomes.push({ ...finished, status: 'succeeded', success: true });
  await again('ended-well', finished);
  expect(await rig.retry('ended-well')).toEqual({ queued: false, reason: 'overtaken' });
  expect(await rig.deadLetterOf('ended-well')).toBeNull();
});

test('while the run has not ended, or the records do not answer, nothing is queued and the dead letter stays', async () => {
  const id = await rig.letter('early');
  const body = JSON.stringify({ v: 1, id, run: 0, signal_type: 'early', priority: 3, payload: {} });
  await rig.bus.publisher.publish(rig.bus.names.subjects.work('early', 3, id), body);
  expect(await rig.retry(id)).toEqual({ queued: false, reason: 'unfinished' });
  const other = await rig.letter('early');
  rig.recordsAnswer = false;
  expect(await rig.retry(other)).toHaveProperty('error');
  expect(await rig.queued(other)).toEqual([]);
  expect((await rig.list({ type: 'early' })).total).toBe(2);
});
