import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensureLanes } from '@tps/bus';
import { parseHeartbeat, type ReplyOf, type WorkerVitals } from '@tps/contracts';
import { waitFor } from '@tps/testkit';
import { WorkerHarness } from './worker-harness.fixture';

jest.setTimeout(60_000);

const FIXTURE = join(__dirname, '..', '..', 'dist', 'internal', 'blocking-worker.fixture.js');
const LEASE_MS = 2_000;
const TYPES = ['blocking', 'blocking-later', 'hanging', 'honest'];
const LONG = { limitMs: 30_000 };

interface Line {
  instance: string;
  what?: 'start' | 'end';
  id: string;
  attempt: number;
  message?: string;
  signal_type?: string;
  signal_id?: string;
  blocked_ms?: number;
  others?: string[];
  stack?: string[];
}

let harness: WorkerHarness;
let lines: Line[];
let vitals: Map<string, WorkerVitals[]>;
const processes = new Map<string, ChildProcess>();

const started = (id?: string): Line[] =>
  lines.filter((line) => line.what === 'start' && (id === undefined || line.id === id));
const said = (text: string): Line[] => lines.filter(({ message }) => message?.includes(text));
const enqueue = (type: string, ms: number): Promise<string> => harness.enqueue(type, { payload: { ms } });
const whereRuns = async (id: string): Promise<string> =>
  (await waitFor(`the start of ${id}`, () => started(id)[0], LONG)).instance;

async function start(instance: string): Promise<void> {
  const env = {
    ...{ PATH: process.env['PATH'], NATS_URL: harness.nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'warn' },
    ...{ INSTANCE_ID: instance, TPS_NUM_WORKERS: '4', TPS_LEASE_MS: String(LEASE_MS) },
  };
  const child = spawn(process.execPath, [FIXTURE], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface(child.stdout).on('line', (text) => {
    lines.push({ ...(JSON.parse(text) as Line), instance });
  });
  processes.set(instance, child);
  await waitFor(`a heartbeat of ${instance}`, () => vitals.has(instance), LONG);
}

async function holdsOf(instance: string, id: string): Promise<string | undefined> {
  const { workerInFlight } = harness.bus.names.subjects;
  const options = { strategy: 'timer', maxWait: 500 } as const;
  for await (const reply of await harness.bus.nc.requestMany(
    workerInFlight,
    JSON.stringify({ id }),
    options,
  )) {
    const { worker_id, state } = reply.json<ReplyOf<'workerInFlight'>>();
    if (worker_id === instance) return state;
  }
  return undefined;
}

beforeAll(async () => {
  harness = await WorkerHarness.start();
  harness.serveRecords();
  harness.bus.nc.subscribe(harness.bus.names.subjects.heartbeat('worker'), {
    callback: (_, msg) => {
      const { instance, vitals: latest } = parseHeartbeat(msg);
      vitals.set(instance, [...(vitals.get(instance) ?? []), latest as WorkerVitals]);
    },
  });
  for (const type of TYPES) await ensureLanes(harness.bus, type, LEASE_MS);
});
beforeEach(async () => {
  lines = [];
  vitals = new Map();
  await Promise.all([start('one'), start('two')]);
});
afterEach(async () => {
  const ends = [...processes.values()].map(async (child) => {
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    // The thread must not keep the process alive.
    return child.exitCode;
  });
  expect(await Promise.all(ends)).toEqual([0, 0]);
  processes.clear();
});
afterAll(() => harness.close());

test('a handler that blocks for three leases runs once, and so do all others, with no attempt lost', async () => {
  const neighbours = await Promise.all([1, 2, 3, 4, 5, 6].map(() => enqueue('honest', 1_000)));
  await waitFor('all neighbours to run', () => started().length === 6);
  const blocking = await enqueue('blocking', 3 * LEASE_MS);
  const blocked = await whereRuns(blocking);
  // Some of these go to the blocked process, which cannot read them.
  const late = await Promise.all([1, 2, 3, 4, 5, 6].map(() => enqueue('honest', 100)));
  const told = await waitFor('the line', () => said('a handler blocks the event loop')[0], LONG);
  expect(told).toMatchObject({ instance: blocked, signal_type: 'blocking', signal_id: blocking });
  expect(told.stack?.[0]).toMatch(/^block .*blocking-worker\.fixture\.(js|ts):\d+$/);
  expect(told.others?.length).toBeGreaterThan(0);
  const running = neighbours.find((id) => told.others?.includes(`honest ${id}`)) as string;
  expect(await holdsOf(blocked, running)).toBe('started');

  for (const id of [blocking, ...neighbours, ...late]) {
    expect(await harness.finished(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  }
  await harness.drained('*');
  const ids = started().map(({ id }) => id);
  expect(ids.sort()).toEqual([blocking, ...neighbours, ...late].sort());
  const outcomes = harness.outcomes.filter(({ signal_id, final }) => final && ids.includes(signal_id));
  expect(outcomes).toHaveLength(ids.length);
  const end = await waitFor('the line at the end', () => said('the event loop turns again')[0]);
  expect(end.blocked_ms).toBeGreaterThanOrEqual(3 * LEASE_MS - 500);
  const reports = (vitals.get(blocked) ?? []).flatMap((one) => one.blocked ?? []);
  expect(reports.length).toBeGreaterThan(3);
  expect(reports[0]).toMatchObject({ signal_type: 'blocking', signal_id: blocking });
});

test('a block after an await is logged with its stack and all handlers that may be the cause', async () => {
  const [blocking, honest] = [await enqueue('blocking-later', 2 * LEASE_MS), await enqueue('honest', 1_500)];
  await waitFor('both to run', () => started(blocking).length + started(honest).length === 2);
  const told = await waitFor('the line', () => said('a handler blocks the event loop')[0], LONG);
  expect(told.stack?.join()).toContain('blocking-worker.fixture');
  for (const id of [blocking, honest])
    expect(await harness.finished(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(started()).toHaveLength(2);
});

test('a signal that is cancelled while its worker is blocked does not run afterwards', async () => {
  const blocking = await enqueue('blocking', 2 * LEASE_MS);
  const blocked = await whereRuns(blocking);
  const other = blocked === 'one' ? 'two' : 'one';
  processes.get(other)?.kill('SIGSTOP');
  await waitFor('the line', () => said('a handler blocks the event loop')[0], LONG);
  const id = await enqueue('honest', 100);
  const { workerBlock } = harness.bus.names.subjects;
  const reply = await harness.bus.nc.request(workerBlock, JSON.stringify({ id, run: 0 }), {
    timeout: 2_000,
  });
  expect(reply.json()).toMatchObject({ worker_id: blocked, state: 'none' });
  await harness.finished(blocking);
  const after = await enqueue('honest', 100);
  await harness.finished(after);
  expect(started(id).filter(({ instance }) => instance === blocked)).toEqual([]);
});

test('a stopped process loses its leases: its thread stops with it', async () => {
  const id = await enqueue('hanging', 500);
  const stopped = await whereRuns(id);
  processes.get(stopped)?.kill('SIGSTOP');
  const again = await waitFor('the second start', () => started(id)[1], LONG);
  expect(again.instance).not.toBe(stopped);
});

test('a handler that blocks beyond its time-out is given up, and its signal runs elsewhere', async () => {
  const id = await enqueue('hanging', 15_000);
  const hung = await whereRuns(id);
  const again = await waitFor('the second start', () => started(id)[1], LONG);
  expect(again).toMatchObject({ attempt: 2 });
  expect(again.instance).not.toBe(hung);
  expect(said('blocked for longer than a handler may take')).toMatchObject([
    { instance: hung, signal_id: id },
  ]);
  expect(await harness.finished(id)).toMatchObject({ status: 'succeeded', attempt: 2 });
});
