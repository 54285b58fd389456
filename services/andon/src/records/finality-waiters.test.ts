import { FinalityWaiters } from './finality-waiters';

/** The caller's view: has the promise been resolved by now? */
async function isDone(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<false>((no) => setImmediate(() => no(false)))]);
}

test('a caller leaves when the last of its signals has ended', async () => {
  const waiters = new FinalityWaiters(() => 0);
  const both = waiters.wait(['a', 'b'], 1_000);
  const one = waiters.wait(['a'], 1_000);
  waiters.settle('a');
  expect(await isDone(one)).toBe(true);
  expect(await isDone(both)).toBe(false);
  waiters.settle('b');
  expect(await isDone(both)).toBe(true);
});

test('a caller leaves at the deadline', async () => {
  let now = 0;
  const waiters = new FinalityWaiters(() => now);
  const early = waiters.wait(['a'], 100);
  const late = waiters.wait(['a'], 200);
  now = 100;
  waiters.sweep();
  expect(await isDone(early)).toBe(true);
  expect(await isDone(late)).toBe(false);
  waiters.close();
  expect(await isDone(late)).toBe(true);
});
