import { openBucket } from '@tps/bus';
import type { AndonBoard, ReplyOf, RequestOf, Retirement } from '@tps/contracts';
import { sampleOutcome, sampleRetirement, sampleType, waitFor } from '@tps/testkit';
import { AndonHarness } from './andon-harness.fixture';

jest.setTimeout(30_000);

let harness: AndonHarness;
beforeAll(async () => {
  harness = await AndonHarness.start();
  await Promise.all([harness.andon('one'), harness.andon('two')]);
});
afterAll(() => harness.close());

/** Writes what kanban writes when a type is retired. */
async function mark(type: string, retired?: Retirement): Promise<void> {
  const types = await openBucket(harness.bus, harness.bus.names.buckets.types, 1);
  await types.put(type, JSON.stringify(sampleType(type, retired ? { retired } : {})));
}
const retire = (signal_type: string, retirement: Retirement): Promise<ReplyOf<'retireLine'>> =>
  harness.ask(harness.bus.names.subjects.retireLine, { signal_type, retirement });
const lineOf = async (type: string): Promise<AndonBoard['lines'][string] | undefined> =>
  (await harness.board()).lines[type];
const historyOf = async (line: string): Promise<ReplyOf<'history'>['items']> =>
  (await harness.ask<ReplyOf<'history'>>(harness.bus.names.subjects.history, { line })).items;
const resume = (id: string): Promise<ReplyOf<'pull'>> =>
  harness.ask(harness.bus.names.subjects.resume, { id, owner: 'bob', countermeasure: 'none' });

test('resuming a line without workers does not help, and the second answer says what does', async () => {
  await mark('orphaned');
  const line = await waitFor('a red line', async () => {
    const now = await lineOf('orphaned');
    return now?.rule === 'no_worker' && now.andon_id ? now : null;
  });
  expect(await resume(line.andon_id!)).toHaveProperty('call');
  const again = await waitFor('the refusal', async () => {
    const reply = await resume(line.andon_id!);
    return 'refused' in reply ? reply : null;
  });
  expect(again.refused).toBe('closed');
  expect(again.reason).toMatch(/resumed already, and orphaned is still RED \(no_worker: no living worker/);
  expect(again.reason).toMatch(/Start a worker that serves the type.*DELETE \/types\/orphaned/);
});

test('a retired type has no light, its call is closed by who retired it, and that is told once', async () => {
  await mark('old');
  const pull: RequestOf<'pull'> = { signal_type: 'old', mode: 'stop', reason: 'smells burnt', by: 'alice' };
  const reply = await harness.ask<ReplyOf<'pull'>>(harness.bus.names.subjects.pull, pull);
  if (!('call' in reply)) throw new Error(reply.reason);
  const { id } = reply.call;
  const failed = Array.from({ length: 25 }, () => sampleOutcome({ signal_type: 'old', status: 'failed' }));
  await harness.bus.publisher.publish(harness.bus.names.subjects.outcomeBatch, JSON.stringify(failed));
  await waitFor('a red line', async () => (await lineOf('old'))?.colour === 'RED');

  const retirement = sampleRetirement({ at: new Date().toISOString() });
  await mark('old', retirement);
  for (let times = 0; times < 4; times += 1) expect(await retire('old', retirement)).toEqual({ done: true });
  expect(await lineOf('old')).toBeUndefined();
  expect((await harness.board()).calls.filter(({ line }) => line === 'old')).toEqual([]);
  const told = (await historyOf('old')).map(({ id: of, event, by, colour, reason }) => [
    ...[of, event, by],
    ...[colour, reason],
  ]);
  expect(told).toContainEqual([id, 'pulled', 'alice', 'RED', 'smells burnt']);
  expect(told.filter(([, event]) => event === 'retired')).toEqual([
    [id, 'retired', 'bob', 'GREEN', 'replaced'],
  ]);
  expect(told[0]?.[1]).toBe('retired');
});

test('a restart does not bring its light back, and a type that comes back has no past', async () => {
  await harness.stopAll();
  await harness.andon('three');
  const rebuilt = await waitFor('the other line', async () => {
    const now = await harness.board();
    return now.lines.orphaned ? now : null;
  });
  expect(rebuilt.lines.old).toBeUndefined();
  await mark('old');
  const line = await waitFor('the line', () => lineOf('old'));
  expect(line).toMatchObject({ processed_5m: 0, error_rate: 0, circuit: 'Closed', stopped: false });
});
