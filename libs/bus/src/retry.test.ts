import { pauseMs, retry } from './retry';

const QUICK = { firstMs: 1, capMs: 4 };

/** A step that fails with the given errors, one after the other, and then succeeds. */
function failing(...errors: Error[]): () => Promise<string> {
  return () => {
    const error = errors.shift();
    return error ? Promise.reject(error) : Promise.resolve('done');
  };
}

test('pauses double up to the cap, and jitter takes off up to half', () => {
  const backoff = { firstMs: 100, capMs: 1_000 };
  expect([1, 2, 3, 4, 5, 50].map((tries) => pauseMs(backoff, tries, 1))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
  expect([1, 2, 50].map((tries) => pauseMs(backoff, tries, 0))).toEqual([50, 100, 500]);
});

test('a step is repeated until it succeeds, and each failure before that is reported', async () => {
  const onRetry = jest.fn();
  const pause = jest.fn(() => Promise.resolve());
  const errors = [new Error('first'), new Error('second')];
  await expect(retry(failing(...errors), { backoff: QUICK, onRetry, pause })).resolves.toBe('done');
  expect(onRetry.mock.calls).toEqual([[errors[0]], [errors[1]]]);
  expect(pause).toHaveBeenCalledTimes(2);
});

test('the last error is thrown when the tries are used up', async () => {
  const step = failing(new Error('first'), new Error('second'), new Error('third'));
  await expect(retry(step, { backoff: QUICK, maxTries: 2 })).rejects.toThrow('second');
  await expect(step()).rejects.toThrow('third');
});

test('an error that no further try can mend ends the retrying at once', async () => {
  const retryIf = (error: unknown): boolean => !(error instanceof TypeError);
  const step = failing(new Error('passing'), new TypeError('lasting'), new Error('not reached'));
  await expect(retry(step, { backoff: QUICK, retryIf })).rejects.toThrow('lasting');
});

test('no try begins after the time limit', async () => {
  const step = jest.fn(() => Promise.reject(new Error('no')));
  await expect(retry(step, { backoff: { firstMs: 20, capMs: 20 }, limitMs: 5 })).rejects.toThrow('no');
  expect(step).toHaveBeenCalledTimes(2);
});

test('an abort ends a long pause with its reason', async () => {
  const ending = new AbortController();
  const step = jest.fn(() => Promise.reject(new Error('no')));
  const options = { backoff: { firstMs: 60_000, capMs: 60_000 }, signal: ending.signal };
  const done = retry(step, {
    ...options,
    onRetry: () => void setImmediate(() => ending.abort(new Error('stop'))),
  });
  await expect(done).rejects.toThrow('stop');
  expect(step).toHaveBeenCalledTimes(1);
  await expect(retry(step, options)).rejects.toThrow('stop');
  expect(step).toHaveBeenCalledTimes(1);
});
