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
let told: string[];
let endless: Overrun[];
let overruns: Overruns;
beforeEach(() => {
  told = [];
  endless = [];
  const tell = (message: string): void => void told.push(message);
  overruns = new Overruns({ info: tell, warn: tell }, (overrun) => endless.push(overrun));
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a handler that ends soon after its attempt is never called deaf', async () => {
  const { handler, end } = pending();
  let ended = 0;
  overruns.add(overrun(), handler, () => (ended += 1));
  overruns.sweep(999);
  expect([overruns.deaf(), overruns.count('slow')]).toEqual([{}, 1]);
  end();
  await turn();
  overruns.sweep(5_000);
  expect([ended, overruns.size, told]).toEqual([1, 0, []]);
});

test('a deaf handler is logged once, and again when it ends or rejects', async () => {
  let fail = (): void => undefined;
  const handler = new Promise<void>((_, reject) => (fail = () => reject(new Error('late'))));
  let ended = 0;
  overruns.add(overrun(), handler, () => (ended += 1));
  overruns.sweep(1_000);
  overruns.sweep(2_000);
  expect([told, overruns.deaf()]).toEqual([
    [expect.stringContaining('ignores its AbortSignal')],
    { slow: 1 },
  ]);
  fail();
  await turn();
  expect([ended, overruns.deaf(), endless]).toEqual([1, {}, []]);
  expect(told[1]).toContain('has ended');
});

test.each([
  ['with a short time-out', 1_000, 10_000],
  ['with a middling time-out', 30_000, 30_000],
  ['with a long time-out', 3_600_000, 60_000],
])('a handler %s that does not end is endless after its limit', (_, timeoutMs, limitMs) => {
  const slow = overrun({ timeoutMs });
  overruns.add(slow, pending().handler, () => undefined);
  overruns.sweep(limitMs);
  expect(overruns.endless).toBeUndefined();
  overruns.sweep(limitMs + 1);
  overruns.sweep(limitMs + 2);
  expect([overruns.endless, endless]).toEqual([slow, [slow]]);
});

test('a fake promise counts as ended', () => {
  const fake = Object.create(Promise.prototype) as Promise<unknown>;
  let ended = 0;
  overruns.add(overrun(), fake, () => (ended += 1));
  expect([ended, overruns.size]).toEqual([1, 0]);
});
