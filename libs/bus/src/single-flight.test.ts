import { SingleFlight } from './single-flight';

/** A question that is answered when the test says so. */
function asked(): {
  questions: { resolve: (n: number) => void; reject: (e: Error) => void }[];
  one: SingleFlight<number>;
} {
  const questions: { resolve: (n: number) => void; reject: (e: Error) => void }[] = [];
  const ask = (): Promise<number> => new Promise((resolve, reject) => questions.push({ resolve, reject }));
  return { questions, one: new SingleFlight(ask) };
}

test('who comes while a question is under way shares the next one', async () => {
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

test('a question that fails is the failure of who asked, and the next one is asked all the same', async () => {
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
