import { CapacityError, RejectedError, TransientError } from '@tps/worker';
import { waitFor } from '@tps/testkit';
import type { SchemaCheck } from './schema-thread';
import { SchemaThreads } from './schema-threads';

const good = { schema: '{"type":"number"}', data: '1' };
const fine = { faults: [], count: 0 };
/** A check that never ends. Each number makes another schema and another input. */
const backtracking = (n = 0): SchemaCheck => ({
  schema: JSON.stringify({ pattern: `^(a+)+${'b'.repeat(n)}$` }),
  data: JSON.stringify(`${'a'.repeat(40)}!${n}`),
});

describe('SchemaThreads', () => {
  let threads: SchemaThreads;
  const run = (check: SchemaCheck, forMs = 30_000): ReturnType<SchemaThreads['check']> =>
    threads.check(check, Date.now() + forMs);
  const start = (limits: ConstructorParameters<typeof SchemaThreads>[0]): SchemaThreads =>
    (threads = new SchemaThreads({ threads: 1, waitMs: 20_000, ...limits }));
  afterEach(() => threads.close());

  it('ends a check that takes too long together with its thread, and goes on with another thread', async () => {
    start({ timeMs: 300 });
    const slow = run(backtracking());
    const next = run(good);
    await expect(slow).rejects.toThrow(new RejectedError('payload.schema took longer than 300 ms'));
    await expect(next).resolves.toEqual(fine);
  });

  it('keeps the event loop free meanwhile', async () => {
    start({ timeMs: 300 });
    const slow = run(backtracking()).catch(() => 'ended');
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 10);
    await slow;
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(10);
  });

  it('ends a check that needs too much memory', async () => {
    start({ memoryMb: 32, timeMs: 20_000 });
    const data = JSON.stringify(Array.from({ length: 400_000 }, () => 1));
    const schema = '{"items":{"allOf":[{"type":"string"},{"const":"x"},{"minimum":2}]}}';
    await expect(run({ schema, data })).rejects.toThrow(
      new RejectedError('payload.schema needs more than 32 MiB of memory'),
    );
    await expect(run(good)).resolves.toEqual(fine);
  });

  it('leaves one thread to quick checks, however many slow ones there are', async () => {
    start({ threads: 2, timeMs: 20_000, places: 9 });
    await run(good);
    const slow = [1, 2, 3].map((n) => run(backtracking(n)).catch((error: Error) => error.name));
    for (let n = 0; n < 50; n += 1) expect(await run(good)).toEqual(fine);
    await threads.close();
    expect(await Promise.all(slow)).toEqual(['TransientError', 'CapacityError', 'CapacityError']);
  });

  it('releases checks that find no thread, because waiting is no failure', async () => {
    start({ timeMs: 1_000, waitMs: 300, places: 2, queue: 1 });
    const warm = (): Promise<boolean> =>
      run(good).then(
        () => true,
        () => false,
      );
    await waitFor('a thread that has started', warm);
    const slow = run(backtracking(1));
    const second = run(backtracking(2));
    await expect(run(backtracking(3))).rejects.toThrow(
      new CapacityError('2 schemas that are new or may be slow wait for a thread'),
    );
    const quick = run(good);
    await expect(run(good)).rejects.toThrow(new CapacityError('1 schemas wait for a thread'));
    await expect(second).rejects.toThrow(new CapacityError('no schema thread was free within 300 ms'));
    await expect(quick).rejects.toThrow(CapacityError);
    await expect(slow).rejects.toThrow('payload.schema took longer than 1000 ms');
    await expect(run(good)).resolves.toEqual(fine);
  });

  it('refuses a check that took too long at once, and gives similar schemas less time', async () => {
    start({ timeMs: 400 });
    await expect(run(backtracking(1))).rejects.toThrow('took longer than 400 ms');
    const started = performance.now();
    await expect(run(backtracking(1))).rejects.toThrow(
      new RejectedError('payload.schema took too long for the same data less than a minute ago'),
    );
    expect(performance.now() - started).toBeLessThan(300);
    await expect(run(backtracking(2))).rejects.toThrow(
      new RejectedError(
        'payload.schema took longer than 100 ms, as one like it took too long less than a minute ago',
      ),
    );
    await expect(run({ ...backtracking(1), data: '"aab"' })).resolves.toEqual(fine);
  });

  it('releases a suspect if a new schema needs its place', async () => {
    start({ timeMs: 400, places: 2 });
    await expect(run(backtracking(1))).rejects.toThrow('took longer than 400 ms');
    const other = { schema: '{"type":"string","pattern":"^(a+)+$"}', data: backtracking().data };
    const running = run(other);
    const suspect = run(backtracking(2));
    const unknown = run({ schema: '{"items":{"pattern":"^a$"}}', data: '["a"]' });
    await expect(suspect).rejects.toThrow(CapacityError);
    await expect(running).rejects.toThrow('took longer than 400 ms');
    await expect(unknown).resolves.toEqual(fine);
  });

  it('releases a check that must end before it had its time', async () => {
    start({ timeMs: 20_000 });
    await run(good);
    await expect(run(backtracking(), 5_000)).rejects.toThrow(
      new CapacityError('no processor was free for the schema'),
    );
  });

  it('ends everything on close', async () => {
    start({ timeMs: 20_000 });
    await run(good);
    const running = run(backtracking());
    const waiting = run(good);
    const ended = Promise.all([
      expect(running).rejects.toThrow(TransientError),
      expect(waiting).rejects.toThrow(CapacityError),
    ]);
    await threads.close();
    await ended;
    await expect(run(good)).rejects.toThrow(new CapacityError('the worker stops'));
  });
});
