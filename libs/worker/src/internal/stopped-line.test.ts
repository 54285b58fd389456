import type { RequestOf } from '@tps/contracts';
import { sampleCall, waitFor } from '@tps/testkit';
import { WorkerHarness, signal } from './worker-harness.fixture';

jest.setTimeout(30_000);

const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
let harness: WorkerHarness;
beforeAll(async () => {
  harness = await WorkerHarness.start();
  harness.serveRecords();
});
afterAll(() => harness.close());

test('no signal of a stopped type is taken; on a half-open line, one is the trial and carries its epoch', async () => {
  const ran: string[] = [];
  const tried: string[] = [];
  const type = signal('held', (_, { signal: { id, trial } }) => {
    if (trial) tried.push(id);
    return ran.push(id);
  });
  await harness.worker('circuit', [type, signal('other', () => 1)]);
  for (const id of await Promise.all([harness.enqueue('held'), harness.enqueue('held')]))
    await harness.finished(id);
  const until = (ms: number): string => new Date(Date.now() + ms).toISOString();
  await harness.circuit('held', { state: 'open', until: until(600_000) });
  // When a signal of another type is finished, the worker knows of the stop.
  await harness.finished(await harness.enqueue('other'));
  await Promise.all(Array.from({ length: 5 }, () => harness.enqueue('held')));
  await harness.finished(await harness.enqueue('other'));
  expect(ran).toHaveLength(2);

  let granted = 0;
  const trials = harness.bus.nc.subscribe(harness.bus.names.subjects.trial, {
    callback: (_, msg) => {
      granted += 1;
      msg.respond(
        JSON.stringify(
          granted === 1
            ? { granted: true, epoch: 7, deadline: new Date().toISOString() }
            : { granted: false },
        ),
      );
    },
  });
  await harness.circuit('held', { state: 'open', until: until(0) });
  await waitFor('the trial', () => ran.length === 3);
  expect(
    await waitFor('its outcome', () => harness.of('held').find(({ epoch }) => epoch === 7)),
  ).toMatchObject({
    final: true,
    signal_id: ran.at(-1),
  });
  expect(tried).toEqual(ran.slice(-1));
  trials.unsubscribe();
  await harness.circuit('held', { state: 'closed' });
  await harness.drained('held');
  expect(ran).toHaveLength(7);
});

test('a trial that failed before says so, and a signal that never failed may take its place', async () => {
  const type = signal('mixed', (payload) => {
    if ((payload as { bad?: true }).bad) throw new Error('poison');
    return 1;
  });
  const until = { state: 'open', until: at(-3_000) } as const;
  await harness.circuit('mixed', until);
  await harness.worker('mixed', [type], { TPS_NUM_WORKERS: '2' });
  const requests: RequestOf<'trial'>[] = [];
  const { trial } = harness.bus.names.subjects;
  const trials = harness.bus.nc.subscribe(trial, {
    callback: (_, msg) => {
      requests.push(msg.json());
      msg.respond(JSON.stringify({ granted: true, epoch: requests.length + 1, deadline: at(60_000) }));
    },
  });
  const bad = await harness.enqueue('mixed', { payload: { bad: true }, run: 1 });
  await waitFor('its trial', () => harness.statusesOf(bad).length > 0);
  expect(requests[0]).toMatchObject({ signal_type: 'mixed', failed_before: true });
  const running = { worker_id: 'mixed', deadline: at(60_000) };
  await harness.circuit('mixed', { ...until, epoch: 9, trial: { ...running, failed_before: true } });
  const good = await harness.finished(await harness.enqueue('mixed', { priority: 1 }));
  expect(good.status).toBe('succeeded');
  expect(requests.at(-1)).not.toHaveProperty('failed_before');
  trials.unsubscribe();
  await harness.circuit('mixed', { state: 'closed' });
  await harness.finished(bad);
});

test('a line that runs again after a trial takes its queue step by step', async () => {
  let running = 0;
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const type = signal('ramp', () => {
    running += 1;
    return gate;
  });
  await harness.circuit('ramp', { state: 'open', until: at(600_000) });
  await harness.worker('ramp', [type, signal('meanwhile', () => 1)], { TPS_NUM_WORKERS: '4' });
  await Promise.all(Array.from({ length: 6 }, () => harness.enqueue('ramp')));
  // Stays within the first half second, however long the test takes.
  await harness.circuit('ramp', { state: 'closed', since: at(60_000) });
  await waitFor('the first', () => running === 1);
  await harness.finished(await harness.enqueue('meanwhile'));
  expect(running).toBe(1);
  await harness.circuit('ramp', { state: 'closed', since: at(-3_000) });
  await waitFor('every slot', () => running === 4);
  open();
  await harness.drained('ramp');
});

test('no signal of a line that a person stopped is taken, and that time does not count', async () => {
  const ran: string[] = [];
  const type = signal('corded', (_, { signal: { id } }) => ran.push(id));
  await harness.worker('cord', [type, signal('beside', () => 1)]);
  const since = new Date().toISOString();
  await harness.stopLine('corded', { call: sampleCall({ line: 'corded', mode: 'stop' }), stops: [[since]] });
  await harness.finished(await harness.enqueue('beside'));
  const waiting = await Promise.all(
    Array.from({ length: 5 }, () => harness.enqueue('corded', { timeout_ms: 400 })),
  );
  await waitFor('their time-out to pass', () => Date.now() - Date.parse(since) > 600);
  await harness.finished(await harness.enqueue('beside'));
  expect(ran).toEqual([]);
  await harness.stopLine('corded', { stops: [[since, new Date().toISOString()]] });
  await Promise.all(waiting.map((id) => harness.finished(id)));
  // An open poll may have brought a signal that went back.
  for (const id of waiting) expect(harness.statusesOf(id).at(-1)).toEqual(['succeeded', 1]);
});
