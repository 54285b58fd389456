import { WaitingRoom } from './waiting-room';

/** The caller's view: has the promise been resolved by now? */
async function isDone(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<false>((no) => setImmediate(() => no(false)))]);
}

test('a caller leaves when the last of its signals has ended', async () => {
  const room = new WaitingRoom(() => 0);
  const both = room.wait(['a', 'b'], 1_000);
  const one = room.wait(['a'], 1_000);
  room.settle('a');
  expect(await isDone(one)).toBe(true);
  expect(await isDone(both)).toBe(false);
  room.settle('b');
  expect(await isDone(both)).toBe(true);
});

test('a caller leaves at the deadline', async () => {
  let now = 0;
  const room = new WaitingRoom(() => now);
  const early = room.wait(['a'], 100);
  const late = room.wait(['a'], 200);
  now = 100;
  room.sweep();
  expect(await isDone(early)).toBe(true);
  expect(await isDone(late)).toBe(false);
  room.close();
  expect(await isDone(late)).toBe(true);
});
