import { Batcher } from './batcher';

/** A sender whose batches the test ends. */
function gate(): { send: (items: number[]) => Promise<string[]>; batches: number[][]; release: () => void } {
  const batches: number[][] = [];
  const waiting: (() => void)[] = [];
  return {
    batches,
    send: (items) => {
      batches.push(items);
      return new Promise((done) => waiting.push(() => done(items.map((item) => `r${item}`))));
    },
    release: () => waiting.shift()?.(),
  };
}
const turn = (): Promise<void> => new Promise((done) => setImmediate(() => setImmediate(done)));

describe('Batcher', () => {
  test('items of one turn leave together, and each gets its own answer', async () => {
    const { send, batches, release } = gate();
    const batcher = new Batcher({ send });
    const answers = [1, 2, 3].map((item) => batcher.push(item));
    await turn();
    expect(batches).toEqual([[1, 2, 3]]);
    release();
    expect(await Promise.all(answers)).toEqual(['r1', 'r2', 'r3']);
  });

  test('further items gather while a batch is in flight', async () => {
    const { send, batches, release } = gate();
    const batcher = new Batcher({ send });
    void batcher.push(1);
    await turn();
    void batcher.push(2);
    await turn();
    void batcher.push(3);
    await turn();
    expect(batches).toEqual([[1]]);
    expect(batcher.size).toBe(2);
    release();
    await turn();
    expect(batches).toEqual([[1], [2, 3]]);
    release();
  });

  test('a batch keeps its limits of items and bytes; one large item leaves alone', async () => {
    const { send, batches, release } = gate();
    const batcher = new Batcher({ send, maxItems: 3, maxBytes: 10, weigh: (item) => item });
    for (const item of [1, 1, 1, 6, 6, 99, 1]) void batcher.push(item);
    for (let i = 0; i < 6; i += 1) {
      await turn();
      release();
    }
    expect(batches).toEqual([[1, 1, 1], [6], [6], [99], [1]]);
  });

  test('a failed batch fails all its items and no others', async () => {
    let failing = true;
    const batcher = new Batcher<number, number>({
      send: async (items) => {
        if (failing) throw new TypeError('down');
        return items;
      },
    });
    const failed = await Promise.allSettled([batcher.push(1), batcher.push(2)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    failing = false;
    expect(await batcher.push(3)).toBe(3);
  });
});
