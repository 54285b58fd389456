import { SingleFlight } from './single-flight';

/** A request that the test answers. */
function asked(): {
  questions: { resolve: (n: number) => void; reject: (e: Error) => void }[];
  one: SingleFlight<number>;
} {
  const questions: { resolve: (n: number) => void; reject: (e: Error) => void }[] = [];
  const ask = (): Promise<number> => new Promise((resolve, reject) => questions.push({ resolve, reject }));
  return { questions, one: new SingleFlight(ask) };
}

test('a caller that arrives during a request shares the next one', async () => {
  const { questions, one } = asked();
  const first = one.get();
  const [second, third] = [one.get(), one.get()];
  expect(questions).toHaveLength(1);
  questions[0]!.resolve(1);
  expect(await first).toBe(1);
  await Promise.resolve();
  expect(questions).toHaveLength(2);
  const fourth = one.get();
  questions[1]!.resolve(2);
  expect(await Promise.all([second, third])).toEqual([2, 2]);
  await Promise.resolve();
  questions[2]!.resolve(3);
  expect(await fourth).toBe(3);
});

test('a failed request fails only its callers, and the next one is sent', async () => {
  const { questions, one } = asked();
  const first = one.get();
  const second = one.get();
  questions[0]!.reject(new Error('no leader'));
  await expect(first).rejects.toThrow('no leader');
  await Promise.resolve();
  questions[1]!.resolve(2);
  expect(await second).toBe(2);
  const third = one.get();
  questions[2]!.resolve(3);
  expect(await third).toBe(3);
});
