import { type Overrun, Overruns } from './overruns';

const overrun = (given: Partial<Overrun> = {}): Overrun => ({
  ...{ type: 'slow', signalId: 'id-1', timeoutMs: 1_000, sinceMs: 0 },
  ...given,
});
function pending(): { handler: Promise<unknown>; end: () => void } {
  let end = (): void => undefined;
  const handler = new Promise<void>((resolve) => (end = resolve));
  return { handler, end };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a handler that ends soon after its attempt is never called deaf', async () => {
  const overruns = new Overruns();
  const { handler, end } = pending();
  const ended: boolean[] = [];
  overruns.add(overrun(), handler, (wasDeaf) => ended.push(wasDeaf));
  expect([overruns.sweep(999), overruns.deaf(), overruns.count('slow')]).toEqual([[], {}, 1]);
  end();
  await turn();
  expect([ended, overruns.size, overruns.sweep(5_000)]).toEqual([[false], 0, []]);
});

test('a deaf handler is statusesOf of once, and again when it ends; a rejection ends it, too', async () => {
  const overruns = new Overruns();
  let fail = (): void => undefined;
  const handler = new Promise<void>((_, reject) => (fail = () => reject(new Error('late'))));
  const ended: boolean[] = [];
  const slow = overrun();
  overruns.add(slow, handler, (wasDeaf) => ended.push(wasDeaf));
  expect([overruns.sweep(1_000), overruns.sweep(2_000)]).toEqual([[slow], []]);
  expect(overruns.deaf()).toEqual({ slow: 1 });
  fail();
  await turn();
  expect([ended, overruns.deaf(), overruns.endless]).toEqual([[true], {}, undefined]);
});

test.each([
  ['with a short time-out', 1_000, 10_000],
  ['with a middling time-out', 30_000, 30_000],
  ['with a long time-out', 3_600_000, 60_000],
])('a handler %s that does not end is endless after its limit', (_, timeoutMs, limitMs) => {
  const overruns = new Overruns();
  const slow = overrun({ timeoutMs });
  overruns.add(slow, pending().handler, () => undefined);
  overruns.sweep(limitMs);
  expect(overruns.endless).toBeUndefined();
  overruns.sweep(limitMs + 1);
  expect(overruns.endless).toBe(slow);
});

test('a fake promise counts as ended', () => {
  const overruns = new Overruns();
  const fake = Object.create(Promise.prototype) as Promise<unknown>;
  const ended: boolean[] = [];
  overruns.add(overrun(), fake, (wasDeaf) => ended.push(wasDeaf));
  expect([ended, overruns.size]).toEqual([[false], 0]);
});
