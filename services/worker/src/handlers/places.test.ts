import { CapacityError } from '@tps/worker';
import { Places } from './places';

/** Work that ends when the test ends it. */
function work(): { run: () => Promise<string>; end: () => void } {
  let end = (): void => undefined;
  const ended = new Promise<string>((resolve) => (end = () => resolve('done')));
  return { run: () => ended, end };
}
/** Longer than the pauses of a busy machine, so that an immediate refusal is recognisable. */
const WAIT_MS = 1_000;
const places = (given: { queue?: number } = {}): Places =>
  new Places('the crane', { places: 1, queue: 2, waitMs: WAIT_MS, ...given });
const full = new CapacityError('all 1 places for the crane are taken');

test('waiting signals get the place one after the other, in order', async () => {
  const crane = places();
  const [first, second] = [work(), work()];
  const order: number[] = [];
  const all = [first, second, work()].map(({ run, end }, n) =>
    crane.use(async () => {
      order.push(n);
      if (n === 2) end();
      return run();
    }),
  );
  first.end();
  second.end();
  expect(await Promise.all(all)).toEqual(['done', 'done', 'done']);
  expect(order).toEqual([0, 1, 2]);
});

test('a place is free again when its work fails', async () => {
  const crane = places();
  await expect(crane.use(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await crane.use(async () => 'done')).toBe('done');
});

test('a full queue, and too long a wait, release the signal', async () => {
  const crane = places({ queue: 1 });
  const slow = work();
  const running = crane.use(slow.run);
  const started = performance.now();
  const waiting = crane.use(work().run);
  await expect(crane.use(work().run)).rejects.toThrow(full);
  expect(performance.now() - started).toBeLessThan(WAIT_MS);
  await expect(waiting).rejects.toThrow(full);
  expect(performance.now() - started).toBeGreaterThan(WAIT_MS - 5);
  // No place has changed hands for so long that waiting is pointless.
  const again = performance.now();
  await expect(crane.use(work().run)).rejects.toThrow(full);
  expect(performance.now() - again).toBeLessThan(WAIT_MS);
  slow.end();
  await running;
  expect(await crane.use(async () => 'done')).toBe('done');
});
