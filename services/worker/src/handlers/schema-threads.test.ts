import { RejectedError, TransientError } from '@tps/worker';
import { SchemaThreads } from './schema-threads';

const never = new AbortController().signal;
const good = { schema: '{"type":"number"}', data: '1' };
const backtracking = { schema: '{"pattern":"^(a+)+$"}', data: JSON.stringify(`${'a'.repeat(40)}!`) };

describe('SchemaThreads', () => {
  let threads: SchemaThreads;
  const start = (limits: ConstructorParameters<typeof SchemaThreads>[0]): SchemaThreads =>
    (threads = new SchemaThreads({ threads: 1, ...limits }));
  afterEach(() => threads.close());

  it('ends a check that takes too long with its thread, and goes on with another', async () => {
    start({ timeMs: 300 });
    const slow = threads.check(backtracking, never);
    const next = threads.check(good, never);
    await expect(slow).rejects.toThrow(new RejectedError('payload.schema took longer than 300 ms'));
    await expect(next).resolves.toEqual({ faults: [], count: 0 });
  });

  it('keeps the event loop free meanwhile', async () => {
    start({ timeMs: 300 });
    const slow = threads.check(backtracking, never).catch(() => 'ended');
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
    await expect(threads.check({ schema, data }, never)).rejects.toThrow(
      new RejectedError('payload.schema needs more than 32 MiB of memory'),
    );
    await expect(threads.check(good, never)).resolves.toEqual({ faults: [], count: 0 });
  });

  it('refuses more than may wait, and drops what was given up while it waited', async () => {
    start({ timeMs: 300, queue: 1 });
    const given = new AbortController();
    const slow = threads.check(backtracking, never);
    const waiting = threads.check(good, given.signal);
    await expect(threads.check(good, never)).rejects.toThrow(TransientError);
    given.abort();
    await expect(slow).rejects.toThrow(RejectedError);
    await expect(waiting).rejects.toThrow('given up while waiting');
  });

  it('ends everything on close', async () => {
    start({ timeMs: 20_000 });
    const running = threads.check(backtracking, never);
    const waiting = threads.check(good, never);
    const ended = Promise.all([
      expect(running).rejects.toThrow(TransientError),
      expect(waiting).rejects.toThrow(TransientError),
    ]);
    await threads.close();
    await ended;
    await expect(threads.check(good, never)).rejects.toThrow('closed');
  });
});
